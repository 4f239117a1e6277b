"""What a network does with images, recorded from its real forward pass.

Nothing is read from the order in which layers are declared. torch's own operators are seen by a dispatch mode,
whoever calls them: a module, a function, a method or a compiled model. Normalization, dropout and padding may
be several operators, or none; they are recorded as the function that was called.
"""

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, is_dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.operator_schemas import normalize_function
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

# Functions that are recorded as such, and not as the operators that they are made of.
NORMS = ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm", "local_response_norm")
DROPOUT = ("dropout", "dropout off")
LEAVING = ("item", "tolist", "numpy", "__array__", "__bool__", "__float__", "__int__", "__index__")  # of a tensor
# Operators by the name of the function that one knows them by.
KINDS = {"convolution": "conv", "max_pool2d_with_indices": "max_pool2d", "addmm": "linear", "mm": "linear"}


@dataclass(frozen=True, eq=False)
class Call:
    """An operator or function at work: what it was given, and what it made."""

    kind: str  # such as conv, linear, max_pool2d, mean, batch_norm, dropout; given, image: made by no call
    tensor: Tensor
    name: str = ""  # of the module, or of the function in its module
    function: str = ""  # of torch, which was called
    arguments: dict[str, Any] = field(default_factory=dict)
    inputs: tuple["Call", ...] = ()
    pointwise: bool = False  # by torch's own tag
    operator: Any = None  # what can be called with the arguments

    @property
    def is_random(self) -> bool:
        """Tells whether it draws random numbers, as dropout that is on; attention and RReLU only may."""
        is_seeded = torch.Tag.nondeterministic_seeded in getattr(self.operator, "tags", ())
        return self.kind == "dropout" or (is_seeded and not self.kind.startswith(("scaled_dot", "rrelu")))

    def again(self, values: dict[int, Tensor]) -> list[Tensor]:
        """Returns what the operator makes of other values, by the ids of the tensors in whose place they are."""
        arguments = tree_map(lambda x: values.get(id(x), x) if isinstance(x, Tensor) else x, dict(self.arguments))
        if hasattr(self.operator, "_schema") and "input" in arguments:  # torch.fx renames it
            arguments["self"] = arguments.pop("input")
        return tree_leaves(self.operator(**arguments))


class Trace(TorchDispatchMode):
    """Sees the operators of torch at work, and keeps those that lead from an image to what the network returns."""

    def __init__(self, model: nn.Module, images: Tensor):
        super().__init__()
        self.model = model
        self.calls = [Call("image", images)]  # in the order of execution
        self.modules: list[str] = []  # names of the modules that were called, as often as they were
        self.last = {id(images): self.calls[0]}  # by the id of a tensor: the call that made or changed it last
        self.read: list[Call] = []  # of which numbers left torch, as by item(), in an `if` or in numpy
        self.function = ""  # at work, as are modules, the innermost last, with what they were given
        self.at_work = [("", model, images)]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        kind = func._schema.name.removeprefix("aten::").strip("_")
        if kind == "as_strided" and output.shape == args[0].shape and torch.equal(output, args[0]):
            kind = "alias"  # channels_last: the same values in another order
        self.add(kind, func, args, kwargs, output)
        if func._schema.is_mutable:  # what shares its memory with a tensor that was written is no longer what it was
            written = tuple(map(self.call_of, _tensors(output)))
            memory = {call.tensor.untyped_storage().data_ptr() for call in written}
            for key, call in self.last.items():
                if call.tensor.untyped_storage().data_ptr() in memory and call not in written:
                    self.last[key] = Call("writing a part in place", call.tensor, call.name, inputs=(call, *written))
                    self.calls.append(self.last[key])
        return output

    def add(self, kind, func, args, kwargs, output) -> None:
        arguments = normalize_function(func, args, kwargs, normalize_to_only_use_kwargs=True).kwargs
        only_shape = kind.endswith("_like") or kind.startswith(("new_", "empty"))
        inputs = () if only_shape else tuple(map(self.call_of, _tensors(arguments)))
        name, module, _ = self.at_work[-1]
        if not type(module).__module__.startswith("torch.nn"):
            name = f"{name}.{self.function}".lstrip(".")
        pointwise = torch.Tag.pointwise in getattr(func, "tags", ())
        for x in _tensors(output):
            self.last[id(x)] = Call(KINDS.get(kind, kind), x, name, self.function, arguments, inputs, pointwise, func)
            self.calls.append(self.last[id(x)])

    def call_of(self, tensor: Tensor) -> Call:
        return self.last.setdefault(id(tensor), Call("given", tensor))

    def finish(self, output: Any) -> None:
        """Keeps what leads to the output, and takes its `logits`, or its first tensor of ten values an image."""
        output = vars(output) if is_dataclass(output) and not isinstance(output, Mapping) else output
        named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
        outputs = [self.call_of(x) for x in _tensors(output if named is None else named)]
        of_image = {self.calls[0]}
        for call in self.calls:
            of_image.update([call] if of_image.intersection(call.inputs) else [])
        self.read = [call for call in self.read if call in of_image]
        live = set(outputs)
        for call in reversed(self.calls):
            live.update(call.inputs if call in live else ())
        if self.calls[0] not in live:
            reason = "what it returns does not come from the image, or leaves torch on its way, as in numpy"
            reason = "forward returns nothing, end it with a return" if output is None else reason
            raise ValueError(f"the network must return logits, got {type(output).__name__}: {reason}")
        outputs.sort(key=lambda call: call.tensor.shape != (len(self.calls[0].tensor), 10))
        self.output = outputs[0]
        self.calls = [call for call in self.calls if call in live]
        given = {id(call.tensor) for call in live}
        self.parameters = {name: p for name, p in self.model.named_parameters() if id(p) in given}  # each once


class _Functions(TorchFunctionMode):
    """Sees the functions of torch that modules and networks call."""

    def __init__(self, record: Trace):
        super().__init__()
        self.record = record

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "").partition(".")[0]  # conv2d.default is an operator's name
        self.record.read += [self.record.call_of(args[0])] if name in LEAVING else []
        name = name.strip("_")
        self.record.function = name
        calls, before = self.record.calls, len(self.record.calls)
        last = dict(self.record.last) if "dropout" in name else None
        output = func(*args, **(kwargs or {}))
        if "dropout" in name:  # one that is off draws no random numbers
            name = "dropout" if "bernoulli" in [call.kind for call in calls[before:]] else "dropout off"
        if name in (*NORMS, *DROPOUT, "pad"):
            del calls[before:]
            self.record.last = last or self.record.last  # in place, dropout reads the very tensor that it writes
            self.record.add(name, func, args, kwargs, output)
        return output


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


@torch.inference_mode(False)  # whoever asks may be in inference mode, which hides operators
@torch.enable_grad()
def trace(model: nn.Module, *, training: bool = False, input_size: int = 28, batch: int = 2) -> Trace:
    """Records what a model does with noise: images (batch, 1, input_size, input_size).

    The model and torch's source of random numbers stay as they are. The output keeps its gradients. Of several
    outputs, the one that is named logits counts, or the first of ten values an image.

    Raises:
        ValueError: the model cannot be run; the message says what to change, and names the layer.
    """
    try:
        model = _copy(model).cpu().train(training)
    except RecursionError:
        raise ValueError("a layer of the network holds the network itself, so it has no end") from None
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    images = torch.randn(batch, 1, input_size, input_size, generator=torch.Generator().manual_seed(0), dtype=dtype)
    record = Trace(model, images)
    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *args, name=name: record.at_work.append((name, *args))))
        hooks.append(module.register_forward_hook(lambda *_: record.modules.append(record.at_work.pop()[0])))
    # What is compiled runs as it was written. Who compiled it has loaded torch._dynamo, which takes seconds.
    eager = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
    with torch.random.fork_rng(devices=[]), eager, record, _Functions(record):
        try:
            output = model(images)
        except Exception as error:
            raise ValueError(_explanation(error, *record.at_work[-1], batch)) from error
    for hook in hooks:  # gradients may run modules again, see torch.utils.checkpoint
        hook.remove()
    record.finish(output)
    return record


def _copy(model: nn.Module) -> nn.Module:
    """Copies a network with maps and weights that were computed, which torch refuses to copy."""
    if isinstance(model, type):
        raise ValueError(f"{model.__name__} is a class: give an instance of it, such as {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise ValueError(f"a network must be an nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError("a scripted network cannot be read: give the nn.Module that it was made from")
        if getattr(module, "has_uninitialized_params", bool)():
            raise ValueError(f"layer {name} is lazy and has no weights yet: run the network once on a batch of images")
    computed = {id(x): x.detach().clone() for m in model.modules() for x in _tensors(vars(m)) if not x.is_leaf}
    try:
        return deepcopy(getattr(model, "_orig_mod", model), computed)  # of a compiled network, the original
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the network cannot be copied: it must keep layers and numbers only ({error})") from error


def _explanation(error: Exception, name: str, module: nn.Module, given: Any, batch: int) -> str:
    """Names the layer that failed and, where the number of its inputs is wrong, the right one."""
    shape = next((tuple(x.shape) for x in _tensors(given)), ())
    layer = f"layer {name}, {module}," if name else "the network"
    advice = ""
    for argument, dim in (("in_channels", 1), ("num_features", 1), ("in_features", -1)):
        if len(shape) > 1 and getattr(module, argument, shape[dim]) != shape[dim]:
            advice = f"; give it {argument}={shape[dim]}"
            if argument == "in_features" and shape[0] != batch:
                advice = f"; keep the number of images, here {batch}, first, as view(len(x), -1) does"
            elif argument == "in_features" and len(shape) > 2:
                advice = f"; flatten its input, and give it in_features={prod(shape[1:])}"
    return f"{layer} fails on an input of shape {shape}: {error}{advice}"
