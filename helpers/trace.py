"""What a network does with images, recorded from its real forward pass.

Nothing is read from the order in which layers are declared. torch's own operators are seen by a dispatch mode,
whoever calls them: a module, a function, a method or a compiled model. Normalization, dropout and padding may
be several operators, or none; they are recorded as the function that was called.
"""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WHOLE_FUNCTIONS = ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm", "local_response_norm", "pad")
# Operators by the name of the function that one knows them by.
KINDS = {"convolution": "conv", "max_pool2d_with_indices": "max_pool2d", "addmm": "linear", "mm": "linear"}
# Pointwise operators without torch's own tag, some in its older versions.
POINTWISE = {"hardswish", "leaky_relu", "log_sigmoid_forward", "prelu_kernel", "rrelu_with_noise", "copy", "expand"}
POINTWISE |= {"channel_shuffle", "native_channel_shuffle", "native_dropout"}


@dataclass(frozen=True, eq=False)
class Call:
    """An operator or function at work: what it was given, and what it made."""

    kind: str  # such as conv, linear, max_pool2d, mean, batch_norm, dropout; given, image: made by no call
    name: str  # of the module, or of the function in its module
    function: str  # of torch, which was called
    arguments: dict[str, Any]
    inputs: tuple["Call", ...]
    tensor: Tensor
    pointwise: bool = False


class Trace(NamedTuple):
    """The calls that lead from the images to the output, in the order of execution."""

    model: nn.Module  # the copy that was run
    calls: list[Call]
    output: Call
    modules: list[str]  # names of the modules that were called, as often as they were
    parameters: set[str]  # names of the parameters that lead to the output
    images: int  # how many the model was given


class _Functions(TorchFunctionMode):
    """Sees the functions of torch that modules and networks call."""

    def __init__(self, operators: "_Operators"):
        super().__init__()
        self.operators = operators

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, calls, name = kwargs or {}, self.operators.calls, getattr(func, "__name__", "")
        self.operators.function, before = name.strip("_"), len(calls)
        output = func(*args, **kwargs)
        kind = "dropout" if "dropout" in name else name
        if isinstance(output, Tensor) and kind in (*WHOLE_FUNCTIONS, "dropout"):
            del calls[before:]  # the operators that this function is made of
            self.operators.record(kind, kind != "pad", _named(func, args, kwargs), [output])
        return output


def _named(func: Callable, args: tuple, kwargs: dict) -> dict:
    """Returns all arguments by name; functions written in C have no signature to be read."""
    try:
        bound = signature(func).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return dict(zip(("input", "p", "training"), args)) | kwargs
    bound.apply_defaults()
    return bound.arguments


class _Operators(TorchDispatchMode):
    """Sees the operators of torch that all functions are made of."""

    def __init__(self):
        super().__init__()
        self.calls: list[Call] = []
        self.last: dict[int, Call] = {}  # by the id of a tensor: the call that made or changed it last
        self.function = ""
        self.at_work: list[tuple[str, nn.Module]] = []  # modules, the innermost last
        self.modules: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        schema = func._schema
        arguments = {a.name: a.default_value for a in schema.arguments if a.has_default_value()}
        arguments |= dict(zip([a.name for a in schema.arguments], args)) | (kwargs or {})
        kind = schema.name.removeprefix("aten::").strip("_")
        if kind == "as_strided" and output.shape == args[0].shape and torch.equal(output, args[0]):
            kind = "alias"  # channels_last: the same values in another order
        outputs = [x for x in tree_leaves(output) if isinstance(x, Tensor)]
        self.record(kind, torch.Tag.pointwise in func.tags or kind in POINTWISE, arguments, outputs)
        if schema.is_mutable:
            self.forget(outputs)
        return output

    def call_of(self, tensor: Tensor) -> Call:
        return self.last.setdefault(id(tensor), Call("given", "", "", {}, (), tensor))

    def record(self, kind: str, pointwise: bool, arguments: dict, outputs: list[Tensor]) -> None:
        inputs = tuple(self.call_of(x) for x in tree_leaves(arguments) if isinstance(x, Tensor))
        if kind.endswith("_like") or kind.startswith(("new_", "empty")):
            inputs = ()  # only their shape is copied
        name, module, _ = self.at_work[-1] if self.at_work else ("", None, ())
        if not type(module).__module__.startswith("torch.nn"):
            name = f"{name}.{self.function}".lstrip(".")
        for output in outputs:
            call = Call(KINDS.get(kind, kind), name, self.function, arguments, inputs, output, pointwise)
            self.calls.append(call)
            self.last[id(output)] = call

    def forget(self, written: list[Tensor]) -> None:
        """What shares its memory with a tensor that was written in place is no longer what it was."""
        memory = {x.untyped_storage().data_ptr() for x in written}
        inputs = tuple(self.last[id(x)] for x in written)
        for key, call in self.last.items():
            if call.tensor.untyped_storage().data_ptr() in memory and call not in inputs:
                self.last[key] = Call("writing a part in place", call.name, "", {}, (call, *inputs), call.tensor)
                self.calls.append(self.last[key])


@torch.inference_mode(False)  # whoever asks may be in inference mode, which hides operators
@torch.enable_grad()
def trace(model: nn.Module, *, training: bool = False, input_size: int = 28) -> Trace:
    """Records what a model does with two images (2, 1, input_size, input_size) of noise.

    The model and torch's source of random numbers stay as they are. The output keeps its gradients. Of several
    outputs, the first of ten values an image counts. Where two images are too few for training, 32 are taken.

    Raises:
        ValueError: the model cannot be run; the message says what to change, and names the layer.
    """
    _check(model)
    try:
        return _run(model, training, input_size, 2)
    except ValueError:
        if training:  # a ghost batch norm splits a batch into equal parts
            with suppress(ValueError):
                return _run(model, training, input_size, 32)
        raise


def _run(model: nn.Module, training: bool, input_size: int, count: int) -> Trace:
    model = _copy(getattr(model, "_orig_mod", model)).cpu().train(training)
    images = torch.randn(count, 1, input_size, input_size, generator=torch.Generator().manual_seed(0))
    operators = _Operators()
    operators.last[id(images)] = Call("image", "", "", {}, (), images)
    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda *args, name=name: operators.at_work.append((name, *args)))
        module.register_forward_hook(lambda *_: operators.modules.append(operators.at_work.pop()[0]))
    eager = torch.compiler.set_stance("force_eager")
    with torch.random.fork_rng(devices=[]), eager, operators, _Functions(operators):
        try:
            output = model(images)
        except Exception as error:
            raise ValueError(_explanation(error, operators)) from error
    outputs = [operators.call_of(x) for x in tree_leaves(output) if isinstance(x, Tensor)]
    if not outputs:
        raise ValueError(f"the network must return logits, got {type(output).__name__}")
    logits = next((call for call in outputs if call.tensor.shape == (count, 10)), outputs[0])
    live, rest = set(), list(outputs)
    while rest:
        if (call := rest.pop()) not in live:
            live.add(call)
            rest += call.inputs
    if not any(call.kind == "image" for call in live):
        raise ValueError(
            "what the network returns does not come from the image, or leaves torch on its way, as in numpy"
        )
    used = {id(call.tensor) for call in live}
    parameters = {name for name, p in model.named_parameters(remove_duplicate=False) if id(p) in used}
    calls = [call for call in operators.calls if call in live]
    return Trace(model, calls, logits, operators.modules, parameters, count)


def _copy(model: nn.Module) -> nn.Module:
    """Copies a network together with maps and weights that were computed, which torch by itself refuses to copy."""
    kept = [x for module in model.modules() for x in tree_leaves(vars(module)) if isinstance(x, Tensor)]
    try:
        return deepcopy(model, {id(x): x.detach().clone() for x in kept if not x.is_leaf})
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the network cannot be copied: it must keep layers and numbers only ({error})") from error


def _check(model: nn.Module) -> None:
    if isinstance(model, type):
        raise ValueError(f"{model.__name__} is a class: give an instance of it, such as {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise ValueError(f"a network must be an nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError("a scripted network cannot be read: give the nn.Module that it was made from")
        if getattr(module, "has_uninitialized_params", bool)():
            raise ValueError(f"layer {name} is lazy and has no weights yet: run the network once on a batch of images")


def _explanation(error: Exception, operators: _Operators) -> str:
    """Names the layer that failed and, where the number of its inputs is wrong, the right one."""
    name, module, given = operators.at_work[-1]
    shape = next((x.shape for x in tree_leaves(given) if isinstance(x, Tensor)), torch.Size())
    layer = f"layer {name}, {module}," if name else "the network"
    advice = ""
    for argument, dim in (("in_channels", 1), ("num_features", 1), ("in_features", -1)):
        wanted = getattr(module, argument, None)
        if wanted is not None and len(shape) > 1 and wanted != shape[dim]:
            advice = f"; give it {argument}={shape[dim]}"
            if argument == "in_features" and len(shape) > 2:
                advice = f"; flatten its input, and give it in_features={prod(shape[1:])}"
    return f"{layer} fails on an input of shape {tuple(shape)}: {error}{advice}"
