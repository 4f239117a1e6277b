"""A pad to draw digits on, in a notebook: the network runs in the page itself, so nothing has to be asked for."""

import base64
import json
from pathlib import Path

import torch
from IPython.display import HTML, display
from torch import Tensor, nn

from helpers.own_network.receptive_field import UNCHANGED, View, views
from helpers.own_network.trace import DROPOUT, Call, trace

FOLDER = Path(__file__).parent


def draw(model: nn.Module, mean: float, std: float) -> None:
    """Shows a pad to draw on, and what the network reads while one draws.

    The pad holds the weights, and needs neither a server nor the kernel. Where scripts do not run, as on GitHub,
    a still picture stands there.

    Args:
        model: a chain of convolutions, batch norms, poolings, ReLU or SiLU, dropout and linear layers.
        mean, std: of the pixels, 0 to 1, which normalize the model's images.

    Raises:
        ValueError: see `network_of`.
    """
    display(HTML(pad(model, mean, std)))


def pad(model: nn.Module, mean: float, std: float) -> str:
    """Returns the pad as HTML that may stand anywhere in a page."""
    layout = (FOLDER / "pad.html").read_text("utf-8")
    return layout.replace("/*SCRIPT*/", script()).replace("/*NETWORK*/", json.dumps(network_of(model, mean, std)))


def script() -> str:
    """Returns the JavaScript that the pad and the page share."""
    return "".join((FOLDER / name).read_text("utf-8") for name in ("network.js", "pad.js"))


def network_of(model: nn.Module, mean: float, std: float) -> dict[str, object]:
    """Returns a network as plain data for network.js: its layers in the order of execution, and its weights.

    Raises:
        ValueError: the network is no chain, or a layer is not one that network.js knows; the message names it.
    """
    record = trace(model)
    modules = dict(record.model.named_modules())
    seen_by = views(record)
    layers: list[dict] = []
    before, *calls = seen_by
    for call in calls:
        if [x for x in call.inputs if x in seen_by] != [before]:
            raise ValueError(f"{_name(call)} has not one input, the layer before it: the pad draws chains only")
        # Dropout is off in eval mode, and a view of the same shape is the same map.
        if call.kind not in (*DROPOUT, *UNCHANGED) or call.tensor.shape != before.tensor.shape:
            layers.append(_layer(call, modules.get(call.name.removesuffix(".conv2d"))) | _sight(call, seen_by[call]))
        before = call
    parameters = sum(p.numel() for p in record.parameters.values())
    return {"mean": mean, "std": std, "layers": layers, "parameters": parameters}


def _name(call: Call) -> str:
    return "layer " + " ".join(filter(None, [call.name, f"({call.kind})"]))


def _numbers(values: Tensor) -> str:
    return base64.b64encode(values.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes()).decode()


def _pair(value: int | list[int]) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values * 2)[:2]


def _layer(call: Call, module: nn.Module | None) -> dict[str, object]:
    """Returns what a layer does, by the names of network.js. The module says whether its filters are shared."""
    get, before = call.arguments.get, call.inputs[0].tensor.shape
    if call.kind == "conv" and call.tensor.ndim == 4 and not get("transposed"):
        weight = get("weight")
        sizes = {name: _pair(get(name)) for name in ("stride", "padding", "dilation")}
        shape = {"out": len(weight), "kernel": list(weight.shape[2:]), "groups": get("groups")}
        if hasattr(module, "orientations"):  # network.js turns them itself: an eighth of the numbers, or a quarter
            weight, shape["orientations"] = module.weight, module.orientations
        return {"type": "conv", **shape, **sizes, **_weights(weight, get("bias"))}
    if call.kind == "linear":
        weight = get("weight") if get("weight") is not None else get("mat2").T
        bias = get("bias") if get("weight") is not None else get("input") if get("mat1") is not None else None
        return {"type": "linear", "out": len(weight), **_weights(weight, bias)}
    if call.kind == "batch_norm":
        scale = 1 / torch.sqrt(get("running_var") + get("eps"))
        scale = scale if get("weight") is None else scale * get("weight")
        shift = -get("running_mean") * scale if get("bias") is None else get("bias") - get("running_mean") * scale
        return {"type": "norm", **_weights(scale, shift)}
    if call.kind in ("relu", "silu"):
        return {"type": call.kind}
    if call.kind in UNCHANGED and (call.tensor.ndim == 2 or call.tensor.shape[2:].numel() == 1):
        return {"type": "flatten"}
    if pooling := _pooling(call, before, call.tensor.shape):
        return pooling
    raise ValueError(
        f"{_name(call)} is not known to the pad: it takes convolutions, batch norm, max and average pooling, ReLU, "
        "SiLU, dropout, flatten and linear layers"
    )


def _weights(weight: Tensor, bias: Tensor | None) -> dict[str, str]:
    return {"weight": _numbers(weight)} | ({} if bias is None else {"bias": _numbers(bias)})


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
    dims = {dim % 4 for dim in get("dim") or ()}
    if call.kind in ("mean", "amax") and len(before) == 4 and dims == {2, 3}:
        return {"type": kind, "kernel": list(before[2:]), "stride": [1, 1], **whole}
    return None


def _sight(call: Call, view: View) -> dict[str, int | float]:
    """Returns which part of the image a value of this layer sees: its side, the steps, and where the first begins."""
    if view.unknown or not view.axes:
        return {}
    axis = view.axes[0]
    return {"field": axis.field, "jump": axis.jump, "start": axis.start}
