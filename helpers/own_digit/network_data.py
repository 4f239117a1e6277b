"""A network as plain data, which network.js runs in a page: its layers in the order of execution, and its weights."""

import base64
from numbers import Number

import torch
from torch import Tensor, nn

from helpers.own_network.receptive_field import UNCHANGED, View, views
from helpers.own_network.trace import DROPOUT, Call, Trace, trace

# Activations by torch's name, with the names of the numbers that they take.
ACTIVATIONS = dict.fromkeys(["relu", "silu", "sigmoid", "tanh", "mish", "hardswish", "hardsigmoid", "abs", "exp"], ())
ACTIVATIONS |= {"leaky_relu": ("negative_slope",), "elu": ("alpha", "scale", "input_scale"), "celu": ("alpha",)}
ACTIVATIONS |= {"hardtanh": ("min_val", "max_val"), "clamp": ("min", "max"), "softplus": ("beta", "threshold")}
KNOWN = (
    "it takes convolutions, batch, group and instance norm, max and average pooling, linear layers, padding with "
    "zeros, dropout, flatten, the usual activations, and branches whose maps are added, multiplied or concatenated"
)


def network_of(model: nn.Module, mean: float, std: float) -> dict[str, object]:
    """Returns a network as plain data for network.js. A softmax at its end is left out: the page takes its own.

    Each layer names its inputs: the places of other layers, or -1 for the image. The last one gives the logits.

    Raises:
        ValueError: a layer is not one that network.js knows; the message names it.
    """
    return data_of(trace(model), mean, std)


def data_of(record: Trace, mean: float, std: float) -> dict[str, object]:
    """Returns what `network_of` does, of a network whose trace is there already."""
    modules, seen_by = dict(record.model.named_modules()), views(record)
    image, *calls = seen_by
    if record.output not in seen_by:
        raise ValueError(f"{_name(record.output)} does not come from the image")
    output = record.output
    while output.kind in ("softmax", "log_softmax", *UNCHANGED) and len(output.tensor.shape) == 2:
        output = next(x for x in output.inputs if x in seen_by)
    needed = _leading_to(output, seen_by)
    layers: list[dict] = []
    place = {image: -1}
    for call in [call for call in calls if call in needed]:
        inputs = [x for x in call.inputs if x in seen_by]
        # Dropout is off in eval mode, and a view of the same shape is the same map.
        if call.kind in (*DROPOUT, *UNCHANGED) and call.tensor.shape == inputs[0].tensor.shape:
            place[call] = place[inputs[0]]
            continue
        layer = _layer(call, inputs, modules.get(call.name.removesuffix(".conv2d"))) | _sight(call, seen_by[call])
        layers.append(layer | {"inputs": [place[x] for x in inputs]})
        place[call] = len(layers) - 1
    if not layers:
        raise ValueError("the network has no layer that changes the image")
    parameters = sum(p.numel() for p in record.parameters.values())
    return {"mean": mean, "std": std, "layers": layers, "parameters": parameters}


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


def _layer(call: Call, inputs: list[Call], module: nn.Module | None) -> dict[str, object]:
    """Returns what a layer does, by the names of network.js. The module says whether its filters are shared."""
    layer = None
    if len(inputs) > 1:
        layer = _joined(call, inputs)
    elif inputs[0] is call.inputs[0] or call.kind in ("linear", "rsub") or call.pointwise:
        before, after = inputs[0].tensor.shape, call.tensor.shape
        layer = _convolution(call, module) or _normalized(call, before) or _pointwise(call, inputs[0])
        layer = layer or _pooling(call, before, after)
        if layer is None and call.kind in UNCHANGED and before[1:].numel() == after[1:].numel() == after[1]:
            layer = {"type": "flatten"}
        if layer is None and call.kind in ("pad", "constant_pad_nd"):
            layer = _padding(call)
    if layer is None:
        raise ValueError(f"{_name(call)} is not known to the pad: {KNOWN}")
    return layer


def _convolution(call: Call, module: nn.Module | None) -> dict[str, object] | None:
    get = call.arguments.get
    if call.kind == "conv" and call.tensor.ndim == 4 and not get("transposed"):
        weight = get("weight")
        sizes = {name: _pair(get(name)) for name in ("stride", "padding", "dilation")}
        shape = {"out": len(weight), "kernel": list(weight.shape[2:]), "groups": get("groups")}
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
    if call.kind == "batch_norm" and get("running_var") is not None:
        scale = weight / torch.sqrt(get("running_var") + get("eps"))
        return {"type": "norm", **_weights(scale, bias - get("running_mean") * scale)}
    # Batch norm without running statistics takes those of the batch, which is here a single image.
    groups = {"batch_norm": channels, "instance_norm": channels, "group_norm": get("num_groups")}.get(call.kind)
    if groups and not (call.kind == "instance_norm" and get("running_mean") is not None):
        return {"type": "group_norm", "groups": groups, "eps": get("eps"), **_weights(weight, bias)}
    return None


def _pointwise(call: Call, before: Call) -> dict[str, object] | None:
    """Returns an activation, or a number or one for each map that is added or multiplied."""
    get = call.arguments.get
    if call.kind in ACTIVATIONS:
        numbers = [get(name) for name in ACTIVATIONS[call.kind]]
        return {"type": call.kind, "numbers": numbers}
    if call.kind == "gelu":
        return {"type": "gelu" if get("approximate") == "none" else "gelu_tanh", "numbers": []}
    if call.kind == "clamp_min":
        return {"type": "clamp", "numbers": [get("min"), None]}
    if call.kind == "prelu_kernel":
        return {"type": "prelu", "weight": _numbers(get("weight").flatten().expand(before.tensor.shape[1]))}
    if call.kind in ("add", "sub", "rsub", "mul", "div", "neg"):
        return _constant(call, before)
    return None


def _constant(call: Call, before: Call) -> dict[str, object] | None:
    get, shape = call.arguments.get, before.tensor.shape
    other = get("other", 0)
    if get("input") is not before.tensor:  # a constant stands first, as in 1 - x
        if call.kind not in ("add", "mul", "sub"):
            return None
        other = get("input")
    value = torch.as_tensor(other if not isinstance(other, Number) else float(other)).detach().float()
    if value.ndim > 1 and value.ndim == len(shape):
        value = value.squeeze(0) if len(value) == 1 else value
    if value.numel() not in (1, shape[1]) or (value.numel() > 1 and value.shape[0] != shape[1]):
        return None
    value, ones = value.flatten().expand(shape[1]), torch.ones(shape[1])
    alpha, first = get("alpha", 1), get("input") is before.tensor
    scale, shift = {
        "add": (ones if first else alpha * ones, alpha * value if first else value),
        "sub": (ones if first else -alpha * ones, -alpha * value if first else value),
        "rsub": (-alpha * ones, value),
        "mul": (value, 0 * ones),
        "div": (1 / value, 0 * ones),
        "neg": (-ones, 0 * ones),
    }[call.kind]
    return {"type": "norm", **_weights(scale, shift)}


def _joined(call: Call, inputs: list[Call]) -> dict[str, object] | None:
    """Returns the sum, the product or the row of several maps, those of one place broadcast over the others."""
    get, shape = call.arguments.get, call.tensor.shape
    if call.kind == "cat" and get("dim") % len(shape) == 1:
        return {"type": "cat"}
    fits = all(x.tensor.ndim == len(shape) and all(a in (1, b) for a, b in zip(x.tensor.shape, shape)) for x in inputs)
    if not fits or len(inputs) > 2 or get("rounding_mode"):
        return None
    alpha = get("alpha", 1)
    factors = {"add": [1, alpha], "sub": [1, -alpha], "rsub": [-alpha, 1]}
    if call.kind in factors:
        return {"type": "add", "numbers": factors[call.kind]}
    return {"type": call.kind} if call.kind in ("mul", "div", "maximum") else None


def _padding(call: Call) -> dict[str, object] | None:
    get = call.arguments.get
    pad = [*get("pad"), 0, 0][:4]
    if get("mode", "constant") != "constant" or get("value") or len(get("pad")) > 4 or min(pad) < 0:
        return None
    return {"type": "pad", "numbers": pad}  # left, right, above, below


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
