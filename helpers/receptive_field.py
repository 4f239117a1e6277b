"""What a network sees of an image, computed from its layers."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.patches import Rectangle
from torch import nn

from helpers.plot import BLUE, GREY, ORANGE, File, drawing


class Layer(NamedTuple):
    """A row of the receptive-field table; all lengths are of one side, in pixels."""

    name: str
    type: str
    channels: int
    kernel: int
    stride: int
    padding: int
    jump: int  # distance in the image between neighbouring outputs of this layer
    receptive_field: int
    output_size: int


_POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.SiLU, nn.GELU, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Identity)


def receptive_field(model: nn.Module, input_size: int = 28) -> list[Layer]:
    """Computes the receptive field of each convolution and pooling of a chain of layers.

    Layers are taken in the order in which the model holds them. The rule (Dumoulin and Visin,
    arXiv:1603.07285): a kernel k adds (k - 1) * jump to the field, a stride s multiplies the jump.

    Raises:
        ValueError: a layer is unknown, or not square, or larger than its input.
    """
    rows, channels, jump, field, size = [], 1, 1, 1, input_size
    for name, layer in model.named_modules(remove_duplicate=False):
        if next(layer.children(), None) is not None or isinstance(layer, _POINTWISE):
            continue
        if isinstance(layer, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
            if layer.output_size not in (1, (1, 1)):
                raise ValueError(f"layer {name}: only global adaptive pooling is known, got {layer}")
            kernel, stride, padding, dilation, ceil = size, size, 0, 1, False
        elif isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            kernel, stride, dilation = (
                _side(name, getattr(layer, key, 1)) for key in ("kernel_size", "stride", "dilation")
            )
            padding = layer.padding
            if isinstance(padding, str):
                padding = 0 if padding == "valid" else dilation * (kernel - 1) / 2
            padding, ceil = _side(name, padding), getattr(layer, "ceil_mode", False)
        else:
            raise ValueError(f"layer {name}: the receptive field of {type(layer).__name__} is not known")
        extent = dilation * (kernel - 1) + 1
        if size + 2 * padding < extent:
            raise ValueError(f"layer {name}: a kernel of {extent} pixels on an input of {size}")
        steps, rest = divmod(int(size + 2 * padding - extent), stride)
        field, jump = field + (extent - 1) * jump, jump * stride
        # A last window that would start beyond the input and its left padding does not count.
        extra = ceil and rest and (steps + 1) * stride < size + padding
        size = steps + 1 + bool(extra)
        channels = getattr(layer, "out_channels", channels)
        rows.append(Layer(name, type(layer).__name__, channels, kernel, stride, padding, jump, field, size))
    return rows


def show_network(layers: Sequence[Layer], *, title: str = "", path: File = None) -> None:
    """Draws a chain of layers, each as its maps: as tall as they are, and wider the more there are."""
    blocks, x = [("image", 1, 28, GREY)], 0.0
    for layer in layers:
        if layer.type == "Conv2d":
            text, colour = "conv {0}x{0}" + ("\npadded" if layer.padding else ""), BLUE
        else:
            text, colour = ("max pool" if "Max" in layer.type else "average") + "\n{0}x{0}", ORANGE
        blocks.append((text.format(layer.kernel), layer.channels, layer.output_size, colour))
    with drawing(11, 4, title, path) as axis:
        for i, (text, channels, size, colour) in enumerate(blocks):
            width = 0.6 + channels / 8
            axis.add_patch(Rectangle((x, -size / 2), width, size, facecolor=colour, alpha=0.8))
            axis.text(x + width / 2, size / 2 + 0.8, f"{channels} x\n{size} x {size}", ha="center", fontsize=9)
            axis.text(x + width / 2, -15.5, text, ha="center", va="top", fontsize=9)
            if i + 1 < len(blocks):
                arrow = {"arrowstyle": "->", "color": GREY}
                axis.annotate("", (x + width + 3.0, 0), (x + width + 0.4, 0), arrowprops=arrow)
            x += width + 3.4
        axis.set(xlim=(-2, x - 1.5), ylim=(-22, 20))
        axis.axis("off")


def _side(name: str, value: int | tuple[int, int]) -> int:
    height, width = value if isinstance(value, tuple) else (value, value)
    if height != width:
        raise ValueError(f"layer {name}: {height}x{width} is not square")
    return height
