"""Networks as drawings: neurons and weights of Part 1, blocks of maps of Part 2."""

from collections.abc import Sequence

from matplotlib.patches import Rectangle

from helpers.plot.figure import BLUE, GRAY, GREEN, ORANGE, File, drawing


def show_neurons(
    layers: dict[str, tuple[float | None, float | None]],
    weights: Sequence[float | None],
    *,
    size: tuple[float, float] = (8.5, 4.2),
    radius: float = 26,
    title: str = "",
    path: File = None,
) -> None:
    """Draws Part 1's 2-2-2 network, weights on the edges; of a value that is None, the name alone.

    Args:
        layers: two values by name, for inputs, hidden neurons, outputs and targets.
        size: of the figure, in inches.
        radius: of the neurons, in points.
    """
    arrow = {"arrowstyle": "->", "color": GRAY, "shrinkA": radius, "shrinkB": radius}
    with drawing(*size, title, path) as axis:
        for k, weight in enumerate(weights):
            (layer, edge), rows = divmod(k, 4), (1.0, 0.0)
            start, end = (2.0 * layer, rows[edge % 2]), (2.0 * layer + 2, rows[edge // 2])
            axis.annotate("", end, start, arrowprops=arrow)
            # A third of the way the four edges are apart, in the middle two of them would cross.
            x, y = (0.7 * a + 0.3 * b for a, b in zip(start, end))
            text = f"w{k + 1}" if weight is None else f"w{k + 1} = {weight:.2f}"
            axis.text(x, y + 0.05, text, ha="center", fontsize=9, bbox={"color": "white", "pad": 1})
        for i, ((name, values), color) in enumerate(zip(layers.items(), [GRAY, BLUE, ORANGE, "white"])):
            for k, (value, y) in enumerate(zip(values, (1.0, 0.0)), start=1):
                x, ink = (2.0 * i, "white") if color != "white" else (4.8, "black")
                axis.plot(x, y, "o", markersize=2 * radius, color=color, alpha=0.85)
                text = f"{name}{k}" if value is None else f"{name}{k}\n{value:.4g}"
                axis.text(x, y, text, ha="center", va="center", fontsize=9, color=ink)
        axis.set(xlim=(-0.5, 5.2), ylim=(-0.45, 1.45))
        axis.axis("off")


def show_network(layers: Sequence, *, title: str = "", path: File = None) -> None:
    """Draws the rows of a receptive-field table as their maps: as tall as they are, and wider the more there are."""
    blocks, x = [("image", 1, 28, GRAY)], 0.0
    for layer in layers:
        if layer.type == "Conv2d":
            text, color = "conv {0}x{0}" + ("\npadded" if layer.padding else ""), BLUE
        elif "Linear" in layer.type:
            text, color = "linear\n{0}x{0}", GREEN
        else:
            text, color = ("max pool" if "Max" in layer.type else "average") + "\n{0}x{0}", ORANGE
        blocks.append((text.format(layer.kernel), layer.channels, layer.output_size, color))
    with drawing(11, 4, title, path) as axis:
        for i, (text, channels, size, color) in enumerate(blocks):
            width = 0.6 + channels / 8
            axis.add_patch(Rectangle((x, -size / 2), width, size, facecolor=color, alpha=0.8))
            axis.text(x + width / 2, size / 2 + 0.8, f"{channels} x\n{size} x {size}", ha="center", fontsize=9)
            axis.text(x + width / 2, -15.5, text, ha="center", va="top", fontsize=9)
            if i + 1 < len(blocks):
                arrow = {"arrowstyle": "->", "color": GRAY}
                axis.annotate("", (x + width + 3.0, 0), (x + width + 0.4, 0), arrowprops=arrow)
            x += width + 3.4
        axis.set(xlim=(-2, x - 1.5), ylim=(-22, 20))
        axis.axis("off")
