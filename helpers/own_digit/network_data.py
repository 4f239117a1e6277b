"""A network as plain data, which network.js runs in a page: its layers in the order of execution, and its weights.

`python -m helpers.own_digit.network_data "net.py:Net()" weights.pt net.json` writes a file that the page opens. Of
net.py, what `python -m helpers.own_network` runs is run; weights.pt is a state_dict that `torch.save` wrote.
"""

import argparse
import base64
import json
import pickle
import sys
from dataclasses import replace
from math import prod
from numbers import Number
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from helpers.files import write_whole
from helpers.model import NUM_CLASSES
from helpers.own_network.receptive_field import UNCHANGED, View, views
from helpers.own_network.submission import ARGUMENT, load
from helpers.own_network.trace import DROPOUT, Call, Trace, trace

# Activations by torch's name, with the names of the numbers that they take.
ACTIVATIONS = dict.fromkeys(["relu", "silu", "sigmoid", "tanh", "mish", "hardswish", "hardsigmoid", "abs", "exp"], ())
ACTIVATIONS |= dict.fromkeys(["sqrt", "log", "sin", "cos", "reciprocal", "log_sigmoid"], ()) | {"pow": ("exponent",)}
ACTIVATIONS |= {"leaky_relu": ("negative_slope",), "elu": ("alpha", "scale", "input_scale"), "celu": ("alpha",)}
ACTIVATIONS |= {"hardtanh": ("min_val", "max_val"), "clamp": ("min", "max"), "softplus": ("beta", "threshold")}
# Operators that put values in another order, repeat them, or leave some out.
MOVES = {*UNCHANGED, "slice", "select", "narrow", "permute", "transpose", "t", "flip", "roll", "expand", "repeat"}
MOVES |= {"split", "unsafe_split", "split_with_sizes", "chunk", "unbind", "index", "index_select", "as_strided"}
MOVES |= {"cat", "stack"}
MOVES |= {"pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "upsample_nearest2d"}
MOVES |= {"reflection_pad2d", "replication_pad2d", "reflection_pad1d", "replication_pad1d", "constant_pad_nd", "pad"}
KNOWN = (
    "it takes convolutions of rows and maps, norms, max and average pooling, linear layers, attention, padding, "
    "slices and other orders of values, the usual activations, and maps that are added, multiplied or concatenated"
)


def network_of(model: nn.Module, mean: float, std: float) -> dict[str, object]:
    """Returns a network as plain data for network.js. A softmax at its end is left out: the page takes its own.

    Each layer names its inputs: the places of other layers, or -1 for the image. The last one gives the logits.

    Raises:
        ValueError: a layer is not one that network.js knows; the message names it.
    """
    return data_of(trace(model, batch=1), mean, std)


def ten_logits(model: nn.Module) -> Trace:
    """Returns the trace of a network that reads ten digits, with a single image, as it is drawn.

    Raises:
        ValueError: it returns something else.
    """
    record = trace(model, batch=1)
    if (shape := tuple(record.output.tensor.shape)) not in ((1, NUM_CLASSES), (NUM_CLASSES,)):
        expected = f"(1, {NUM_CLASSES}) logits for an image"
        raise ValueError(f"the pad draws networks that return {expected}, not {shape}")
    return record


def data_of(record: Trace, mean: float, std: float) -> dict[str, object]:
    """Returns what `network_of` does, of a network whose trace with a single image is there already."""
    modules, seen_by = dict(record.model.named_modules()), views(record)
    image, *calls = seen_by
    if record.output not in seen_by:
        raise ValueError(f"{_name(record.output)} does not come from the image")
    needed = _leading_to(_without_softmax(record.output, seen_by), seen_by)
    if chance := [call for call in record.calls if call.is_random]:
        raise ValueError(f"{_name(chance[0])} is random in eval mode, too: give it training=self.training")
    if record.read:
        reason = "a number is read out of its values, as by item() or in an if, which another image may change"
        raise ValueError(f"{_name(record.read[0])}: {reason}")
    layers: list[dict] = []
    place = {image: -1}
    for call in [call for call in calls if call in needed]:
        inputs = [x for x in call.inputs if x in seen_by]
        # A view of the same shape is the same map, as is what dropout makes while it is off.
        if call.kind in (*DROPOUT, *UNCHANGED) and call.tensor.shape == inputs[0].tensor.shape:
            place[call] = place[inputs[0]]
            continue
        places = of = [place[x] for x in inputs]
        for layer in _layers(call, inputs, modules.get(call.name.removesuffix(".conv2d"))):
            if "of" in layer:  # the call's inputs, or the layers before this one
                of = [places[i] if i >= 0 else len(layers) + i for i in layer.pop("of")]
            layers.append(layer | {"inputs": of})
            of = [len(layers) - 1]
        layers[-1] |= _sight(call, seen_by[call])
        place[call] = len(layers) - 1
    if not layers:
        raise ValueError("the network has no layer that changes the image")
    parameters = sum(p.numel() for p in record.parameters.values())
    return {"mean": mean, "std": std, "layers": layers, "parameters": parameters}


def _without_softmax(output: Call, seen_by: dict[Call, View]) -> Call:
    """Returns the call whose values give the same digits by the page's own softmax."""
    ends = {"softmax", "log_softmax", *UNCHANGED}
    while output.kind in ends:
        if "softmax" in output.kind:
            if output.tensor.shape[output.arguments["dim"]] < output.tensor.numel():
                break
            ends.discard("softmax")  # a second one would change the first one's values
        output = next(x for x in output.inputs if x in seen_by)
    return output


def _leading_to(output: Call, seen_by: dict[Call, View]) -> set[Call]:
    """Returns the calls that the output is made of; a network may return more than its logits."""
    needed = {output}
    for call in reversed(seen_by):
        needed.update(call.inputs if call in needed else ())
    return needed


def _name(call: Call) -> str:
    return "layer " + " ".join(filter(None, [call.name, f"({call.kind})"]))


def _numbers(values: Tensor) -> str:
    return base64.b64encode(values.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes()).decode()


def _weights(weight: Tensor, bias: Tensor | None) -> dict[str, str]:
    return {"weight": _numbers(weight)} | ({} if bias is None else {"bias": _numbers(bias)})


def _pair(value: int | list[int]) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values * 2)[:2]


def _layers(call: Call, inputs: list[Call], module: nn.Module | None) -> list[dict[str, object]]:
    """Returns what a call does, as layers of network.js in a row. The module says whether its filters are shared."""
    if call.kind == "linear" and any(call.arguments.get(factor, 1) != 1 for factor in ("beta", "alpha")):
        raise ValueError(f"{_name(call)} has a factor, beta or alpha, which the pad does not know")
    layers = _products(call, inputs)
    if layers is None and len(inputs) > 1:
        layers = _joined(call, inputs)
    elif layers is None and (inputs[0] is call.inputs[0] or call.kind in ("linear", "rsub") or call.pointwise):
        before, after = inputs[0].tensor.shape, call.tensor.shape
        layer = None
        if len(before) > 1 and before[0] == 1:  # channels are the second dimension
            layer = _convolution(call, module) or _normalized(call, before) or _pooling(call, before, after)
            if call.kind in UNCHANGED and after[1:2] == (after.numel(),):
                layer = {"type": "flatten"}
        layers = (
            [layer] if layer else _layer_norm(call, before) or _pointwise(call, inputs[0]) or _reduced(call, before)
        )
    layers = layers or _moved(call, inputs)
    if layers is None:
        raise ValueError(f"{_name(call)} is not known to the pad: {KNOWN}")
    return layers


def _shape(shape: torch.Size) -> list[int]:
    """Returns channels, height and width of an image's values; further axes belong to the width."""
    sides = shape[1:] if shape[:1] == (1,) else shape  # the images' own axis may be elsewhere, as in attention
    return [*sides[:2], 1, 1][:2] + [prod(sides[2:])]


def _gather(index: Tensor, shape: list[int], count: int, **more: object) -> dict:
    """Returns the layer that takes values by their places among so many."""
    is_same = index.equal(torch.arange(count, dtype=index.dtype))
    return {"type": "gather", "shape": shape} | ({} if is_same else {"weight": _numbers(index)}) | more


def _moved(call: Call, inputs: list[Call]) -> list[dict] | None:
    """Returns the values that a call takes, by their places, which it moves in their stead."""
    if call.kind not in MOVES:
        return None
    floats = [x for x in tree_leaves(call.arguments) if isinstance(x, Tensor) and x.is_floating_point()]
    constants, places, count = {id(x): x.detach() for x in floats}, {}, 0
    for x in inputs:
        size = x.tensor.numel()
        places[id(x.tensor)] = (torch.arange(size, dtype=torch.float64) + count).view(x.tensor.shape)
        constants[id(x.tensor)] = torch.zeros(x.tensor.shape)
        count += size
    fill = call.arguments.get("value") or 0
    made = call.again(constants) if len(floats) > len(inputs) else []
    added = [x for x in made if x.shape == call.tensor.shape and x.any()]
    if call.arguments.get("mode", "constant") == "constant" and "pad" in call.arguments:
        call = replace(call, arguments=call.arguments | {"value": float("nan")})
    moved = call.again({key: torch.full(x.shape, float("nan")) for key, x in constants.items()} | places)
    values = torch.cat([x.tensor.flatten() for x in inputs])
    for index in moved:
        index = index.nan_to_num(-1).flatten()
        if len(index) != call.tensor.numel():
            continue
        if len(moved) > 1 and not torch.equal(values[index.long()], call.tensor.flatten()):
            continue
        layer = _gather(index, _shape(call.tensor.shape), count, fill=fill)
        layers = [{"type": "cat"}, layer] if len(inputs) > 1 else [layer]
        for x in added:
            layers += _each({"type": "norm", **_weights(torch.ones(x.numel()), x.flatten())}, x.shape)
        return layers
    return None


def _products(call: Call, inputs: list[Call]) -> list[dict] | None:
    """Returns products of matrices, as in attention, and what is made along an axis: softmax and gated units."""
    get, kind, shape = call.arguments.get, call.kind, call.tensor.shape
    end = {"type": "gather", "shape": _shape(shape)}
    if kind in ("adaptive_avg_pool2d", "upsample_bilinear2d", "upsample_bicubic2d"):
        return _resampled(call, inputs[0].tensor)
    if kind in ("softmax", "log_softmax"):
        return _softmax(shape, get("dim"), kind)
    if kind == "glu":
        before = inputs[0].tensor
        halves = torch.arange(before.numel()).view(before.shape).chunk(2, get("dim"))
        first, second = (_gather(half.flatten(), _shape(shape), before.numel(), of=[0]) for half in halves)
        return [first, second, {"type": "sigmoid", "numbers": []}, {"type": "mul", "of": [-3, -1]}]
    if kind.startswith("scaled_dot_product") and len(inputs) == 3 and not get("is_causal"):
        query, key, value = (x.tensor for x in inputs)
        pairs, rows, size = prod(query.shape[:-2]), query.shape[-2], key.shape[-2]
        if get("attn_mask") is not None or query.shape[:-2] != key.shape[:-2]:
            return None
        scale = {"type": "norm", **_weights(torch.tensor([get("scale") or query.shape[-1] ** -0.5]), torch.zeros(1))}
        product = {"type": "matmul", "pairs": pairs, "rows": rows}
        weighed = [product | {"out": size, "of": [0, 1]}, scale, *_softmax((1, 1, pairs * rows, size), -1, "softmax")]
        return [*weighed, _transposed(value, of=[2]), product | {"out": value.shape[-1], "of": [-2, -1]}, end]
    if kind == "bmm" or (kind == "linear" and (len(shape) > 2 or shape[0] > 1)):
        left = get("input") if get("mat1") is None else get("mat1")
        right = get("weight").mT if get("mat2") is None else get("mat2")
        bias = get("bias") if get("mat1") is None else get("input")
        product = {"type": "matmul", "pairs": prod(shape[:-2]) if kind == "bmm" else 1, "out": shape[-1]}
        product["rows"] = shape[:-1].numel() // product["pairs"]
        if inputs[0].tensor is left and len(inputs) == 1:
            return [product | _weights(right.mT, bias), end]
        if [id(x.tensor) for x in inputs] == [id(left), id(right)] and bias is None:
            return [_transposed(right, of=[1]), product | {"of": [0, -1]}, end]
    return None


def _resampled(call: Call, before: Tensor) -> list[dict]:
    """Returns products with a matrix for columns and one for rows, as the operator makes them of each alone."""
    channels, height, width = before.shape[1:]
    layers: list[dict] = []
    for axis, count in ((3, width), (2, height)):
        lines = torch.eye(count).view(count, 1, *((1, count) if axis == 3 else (count, 1)))
        made = call.again({id(call.arguments["input"]): lines.expand(count, 1, height, width).contiguous()})[0]
        matrix = made[:, 0, 0, :].T if axis == 3 else made[:, 0, :, 0].T
        rows = channels * (height if axis == 3 else call.tensor.shape[3])
        layers.append({"type": "matmul", "pairs": 1, "rows": rows, "out": len(matrix), **_weights(matrix, None)})
        layers.append(_transposed(torch.empty(channels, rows // channels, len(matrix))))
    return layers[:-1] + [layers[-1] | {"shape": _shape(call.tensor.shape)}]


def _transposed(matrices: Tensor, **more: object) -> dict:
    index = torch.arange(matrices.numel()).view(matrices.shape).mT
    return _gather(index.flatten(), [1, index.shape[:-1].numel(), index.shape[-1]], index.numel(), **more)


def _softmax(shape: torch.Size, dim: int, kind: str) -> list[dict]:
    """Returns powers of what lies below the largest value, divided by their sum: along the last axis, and put back."""
    size, index = shape[dim], torch.arange(prod(shape)).view(shape).movedim(dim, -1).flatten()
    row = {"kernel": [1, size], "stride": [1, size], "padding": [0, 0], "ceil": False, "counted": True}
    return [
        _gather(index, [1, len(index) // size, size], len(index)),
        {"type": "max_pool", **row},
        {"type": "add", "numbers": [1, -1], "of": [-2, -1]},
        {"type": "exp", "numbers": []},
        {"type": "avg_pool", **row},
        {"type": "div", "of": [-2, -1]},
        {"type": "norm", **_weights(torch.tensor([1 / size]), torch.zeros(1))},
        *[{"type": "log", "numbers": []}] * (kind == "log_softmax"),
        _gather(index.argsort(), _shape(shape), len(index)),
    ]


def _each(layer: dict, shape: torch.Size) -> list[dict]:
    """Returns a layer with numbers for each value, not for each map."""
    return [{"type": "flatten"}, layer, {"type": "gather", "shape": _shape(shape)}]


def _layer_norm(call: Call, before: torch.Size) -> list[dict] | None:
    if call.kind != "layer_norm":
        return None
    get = call.arguments.get
    weight, bias = (
        default if given is None else given
        for given, default in ((get("weight"), torch.tensor(1.0)), (get("bias"), torch.tensor(0.0)))
    )
    groups = before.numel() // prod(get("normalized_shape"))
    layer = {"type": "group_norm", "groups": groups, "eps": get("eps")}
    return _each(layer | _weights(weight.expand(before), bias.expand(before)), before)


def _reduced(call: Call, before: torch.Size) -> list[dict] | None:
    """Returns a mean, a sum or a maximum over any axes: these are moved to the end."""
    get, axes = call.arguments.get, range(len(before))
    over = sorted({dim % len(before) for dim in tree_leaves(get("dim")) if isinstance(dim, int)})
    if call.kind not in ("mean", "sum", "amax") or not over:
        return None
    size, order = prod(before[axis] for axis in over), [*(axis for axis in axes if axis not in over), *over]
    index = torch.arange(prod(before)).view(before).permute(order).flatten()
    pooling = {"type": "max_pool" if call.kind == "amax" else "avg_pool", "kernel": [1, size], "stride": [1, size]}
    layers = [
        _gather(index, [1, len(index) // size, size], len(index)),
        pooling | {"padding": [0, 0], "ceil": False, "counted": True},
        {"type": "gather", "shape": _shape(call.tensor.shape)},
    ]
    if call.kind == "sum":
        count = _shape(call.tensor.shape)[0]
        layers.append({"type": "norm", **_weights(torch.full((count,), float(size)), torch.zeros(count))})
    return layers


def _convolution(call: Call, module: nn.Module | None) -> dict[str, object] | None:
    get = call.arguments.get
    if call.kind == "conv" and call.tensor.ndim in (3, 4) and not get("transposed"):
        weight = get("weight")
        sizes = {name: _pair(get(name)) for name in ("stride", "padding", "dilation")}
        if call.tensor.ndim == 3:  # one axis is a map of width 1
            sizes = {name: [size[0], int(name != "padding")] for name, size in sizes.items()}
        shape = {"out": len(weight), "kernel": [*weight.shape[2:], 1][:2], "groups": get("groups")}
        if hasattr(module, "orientations"):  # network.js turns them itself: an eighth of the numbers, or a quarter
            weight, shape["orientations"] = module.weight, module.orientations
        return {"type": "conv", **shape, **sizes, **_weights(weight, get("bias"))}
    if call.kind == "linear" and call.tensor.ndim == 2:
        weight = get("weight") if get("weight") is not None else get("mat2").T
        bias = get("bias") if get("weight") is not None else get("input") if get("mat1") is not None else None
        return {"type": "linear", "out": len(weight), **_weights(weight, bias)}
    return None


def _normalized(call: Call, before: torch.Size) -> dict[str, object] | None:
    """Returns batch norm as a factor and an addend of each map; norms that look at the image itself as `group_norm`."""
    get, channels = call.arguments.get, before[1]
    weight = torch.ones(channels) if get("weight") is None else get("weight")
    bias = torch.zeros(channels) if get("bias") is None else get("bias")
    if call.kind == "batch_norm" and get("running_var") is not None and not get("training"):
        # In float64: else the last digits, and so the page, would differ between versions of torch.
        scale = weight.double() / torch.sqrt(get("running_var").double() + get("eps"))
        return {"type": "norm", **_weights(scale, bias - get("running_mean") * scale)}
    # Batch norm without running statistics, or in train mode, takes those of the batch, which is here a single image.
    groups = {"batch_norm": channels, "instance_norm": channels, "group_norm": get("num_groups")}.get(call.kind)
    if groups and not (call.kind == "instance_norm" and get("running_mean") is not None):
        return {"type": "group_norm", "groups": groups, "eps": get("eps"), **_weights(weight, bias)}
    return None


def _pointwise(call: Call, before: Call) -> list[dict] | None:
    """Returns an activation, or a number or one for each map that is added or multiplied."""
    get = call.arguments.get
    if call.kind in ACTIVATIONS:
        numbers = [get(name) for name in ACTIVATIONS[call.kind]]
        return [{"type": call.kind, "numbers": numbers}] if all(isinstance(x, Number | None) for x in numbers) else None
    if call.kind == "gelu":
        return [{"type": "gelu" if get("approximate") == "none" else "gelu_tanh", "numbers": []}]
    if call.kind == "log_sigmoid_forward":
        return [{"type": "log_sigmoid", "numbers": []}]
    if call.kind == "rsqrt":
        return [{"type": "sqrt", "numbers": []}, {"type": "reciprocal", "numbers": []}]
    if call.kind == "clamp_min":
        return [{"type": "clamp", "numbers": [get("min"), None]}]
    if call.kind == "prelu_kernel":
        return [{"type": "prelu", "weight": _numbers(get("weight").flatten().expand(before.tensor.shape[1]))}]
    if call.kind in ("add", "sub", "rsub", "mul", "div", "neg"):
        return _constant(call, before)
    return None


def _constant(call: Call, before: Call) -> list[dict] | None:
    get, shape = call.arguments.get, before.tensor.shape
    other = get("other", 0)
    if get("input") is not before.tensor:  # a constant stands first, as in 1 - x
        if call.kind not in ("add", "mul", "sub"):
            return None
        other = get("input")
    value = torch.as_tensor(other if not isinstance(other, Number) else float(other)).detach().float()
    if get("rounding_mode") or call.tensor.shape != shape:
        return None
    each = torch.broadcast_to(value, shape).reshape(_shape(shape)).flatten(1)
    is_of_maps = bool((each == each[:, :1]).all())
    value = each[:, 0] if is_of_maps else each.flatten()
    ones = torch.ones_like(value)
    alpha, first = get("alpha", 1), get("input") is before.tensor
    scale, shift = {
        "add": (ones if first else alpha * ones, alpha * value if first else value),
        "sub": (ones if first else -alpha * ones, -alpha * value if first else value),
        "rsub": (-alpha * ones, value),
        "mul": (value, 0 * ones),
        "div": (1 / value, 0 * ones),
        "neg": (-ones, 0 * ones),
    }[call.kind]
    layer = {"type": "norm", **_weights(scale, shift)}
    return [layer] if is_of_maps else _each(layer, shape)


def _joined(call: Call, inputs: list[Call]) -> list[dict] | None:
    """Returns the sum, the product or the row of several maps, those of one place broadcast over the others."""
    get, shape = call.arguments.get, call.tensor.shape
    if call.kind == "cat" and get("dim") % len(shape) == 1 == shape[0] and len(inputs) == len(call.inputs):
        return [{"type": "cat"}]
    alike = all((x.tensor.ndim, x.tensor.shape[:1] == (1,)) == (len(shape), shape[:1] == (1,)) for x in inputs)
    fits = alike and all(a in (1, b) for x in inputs for a, b in zip(_shape(x.tensor.shape), _shape(shape)))
    if not fits or len(inputs) > 2 or get("rounding_mode"):
        return None
    alpha = get("alpha", 1)
    factors = {"add": [1, alpha], "sub": [1, -alpha], "rsub": [-alpha, 1]}
    if call.kind in factors:
        return [{"type": "add", "numbers": factors[call.kind]}]
    return [{"type": call.kind}] if call.kind in ("mul", "div", "maximum") else None


def _pooling(call: Call, before: torch.Size, after: torch.Size) -> dict[str, object] | None:
    get = call.arguments.get
    kind = "max_pool" if call.kind in ("max_pool2d", "adaptive_max_pool2d", "amax") else "avg_pool"
    whole = {"padding": [0, 0], "ceil": False, "counted": True}
    if (
        call.kind in ("max_pool2d", "avg_pool2d")
        and _pair(get("dilation", 1)) == [1, 1]
        and not get("divisor_override")
    ):
        kernel = _pair(get("kernel_size"))
        shape = {"kernel": kernel, "stride": _pair(get("stride") or kernel), "padding": _pair(get("padding"))}
        return {"type": kind, **shape, "ceil": bool(get("ceil_mode")), "counted": get("count_include_pad", True)}
    if call.kind in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        kernel = [a // b for a, b in zip(before[2:], after[2:])]
        if all(a % b == 0 for a, b in zip(before[2:], after[2:])):
            return {"type": kind, "kernel": kernel, "stride": kernel, **whole}
    if call.kind in ("mean", "amax") and len(before) == 4:
        dims = {dim % 4 for dim in _pair(get("dim") or [])}
        if dims and dims <= {2, 3}:
            kernel = [side if dim in dims else 1 for dim, side in ((2, before[2]), (3, before[3]))]
            return {"type": kind, "kernel": kernel, "stride": kernel, **whole}
    return None


def _sight(call: Call, view: View) -> dict[str, int | float]:
    """Returns which part of the image a value of this layer sees: its side, the steps, and where the first begins."""
    if view.unknown or not view.axes:
        return {}
    axis = view.axes[0]
    return {"field": axis.field, "jump": axis.jump, "start": axis.start}


def read_weights(file: str) -> dict[str, Tensor]:
    """Returns the state_dict that a file holds, alone or in a checkpoint; names lose what compiling put before them.

    Raises:
        ValueError: the file holds none; the message says what to save.
    """
    advice = "save the weights alone: torch.save(model.state_dict(), 'weights.pt')"
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{file}: there is no such file") from None
    except pickle.UnpicklingError:
        raise ValueError(f"{file} holds no plain state_dict, perhaps a whole model: {advice}") from None
    except Exception as error:  # what is no such file fails in any way
        why = f"{type(error).__name__}: {str(error)[:200]}".splitlines()[0]
        raise ValueError(f"{file} is no file of torch.save ({why}): {advice}") from None
    candidates = [state, *(state.values() if isinstance(state, dict) else [])]
    for each in candidates:
        if isinstance(each, dict) and each and all(isinstance(value, Tensor) for value in each.values()):
            return {name.removeprefix("_orig_mod.").removeprefix("module."): value for name, value in each.items()}
    raise ValueError(f"{file} holds no state_dict: {advice}")


def from_files(network: str, weights: str, mean: float, std: float) -> dict[str, object]:
    """Returns the data of a network in a student's file, FILE:EXPRESSION, with trained weights.

    Raises:
        ValueError: the network or the weights cannot be read, or the pad cannot draw it.
    """
    if not (match := ARGUMENT.fullmatch(network)):
        raise ValueError("the network is given as FILE:EXPRESSION, such as net.py:Net()")
    model = load(*match.groups(), [])
    if not isinstance(model, nn.Module):
        raise ValueError(f"{network} is a {type(model).__name__}, not an nn.Module")
    try:
        model.load_state_dict(read_weights(weights))
    except RuntimeError as error:
        text = " ".join(str(error).split())[:400]
        raise ValueError(f"{weights} has the weights of another network than {network}: {text}") from None
    return data_of(ten_logits(model), mean, std) | {"name": Path(match[1]).stem}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.own_digit.network_data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="FILE:EXPRESSION", help="such as net.py:Net() or work.ipynb:Net()")
    parser.add_argument("weights", help="such as weights.pt, written by torch.save(model.state_dict(), 'weights.pt')")
    parser.add_argument("output", type=Path, help="the file to be written, such as net.json")
    for name, default in zip(("mean", "std"), (0.1307, 0.3081)):
        text = "of the pixels, 0 to 1, by which its images were normalized; default"
        parser.add_argument(f"--{name}", type=float, default=default, help=f"{text} {default}, MNIST's")
    args = parser.parse_args()
    try:
        network = from_files(args.network, args.weights, args.mean, args.std)
        write_whole(args.output, json.dumps(network, separators=(",", ":")).encode())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
