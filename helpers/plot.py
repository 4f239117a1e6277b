"""Figures from plain data. Each shows itself in a notebook, or is saved if a path is given."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from IPython.display import Image, Markdown, display
from torch import Tensor

# A backend that the user's shell names may not exist here; matplotlib would then not even be imported.
if not os.environ.get("MPLBACKEND", "").startswith("module://matplotlib_inline"):
    os.environ.pop("MPLBACKEND", None)

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's palette, told apart by color-blind readers.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
GRAY = "#888888"
File = Path | str | None


@contextmanager
def drawing(width: float, height: float, title: str, path: File, **grid) -> Iterator:
    """Gives axes of that many inches to draw on, then shows or saves the figure."""
    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure.subplots(**grid)
    figure.suptitle(title, fontsize=12)
    if path is not None:
        figure.savefig(path, dpi=150, facecolor="white")
        return
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100, facecolor="white")
    display(Image(picture.getvalue(), format="png", alt=title))


def show_images(
    images: Tensor | Sequence[Tensor],
    captions: Sequence[str] = (),
    *,
    columns: int = 10,
    side: float = 0.95,
    title: str = "",
    path: File = None,
) -> None:
    """Shows images (N, 28, 28), or a list of images of any size, in a grid, dark on light, with captions over them.

    Each is shown `side` inches wide.
    """
    rows = -(-len(images) // columns)
    height = (side + (0.35 if captions else 0.05)) * rows + 0.5
    with drawing(side * columns, height, title, path, nrows=rows, ncols=columns, squeeze=False) as axes:
        for axis in axes.flat:
            axis.axis("off")
        for image, axis in zip(images, axes.flat):
            axis.imshow(torch.as_tensor(image).cpu().numpy(), cmap="gray_r")
        for caption, axis in zip(captions, axes.flat):
            axis.set_title(caption, fontsize=9)


def show_target(axis: Axes, target: float, name: str = "target") -> None:
    """Draws a dotted line at the height `target`, with its name."""
    axis.axhline(target, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    place = {"xycoords": ("axes fraction", "data"), "xytext": (-4, 2), "textcoords": "offset points"}
    axis.annotate(f"{name} {target:g}", (1, target), ha="right", va="bottom", **place)


def show_curves(
    curves: dict[str, Sequence[tuple[float, float]]],
    ylabel: str,
    *,
    xlabel: str = "epoch",
    title: str = "",
    target: float | None = None,
    target_name: str = "target",
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    path: File = None,
) -> None:
    """Plots up to six named curves of (x, y) points, each in a color and line of its own.

    Args:
        target: draws a dotted line at this height, with its name.
        log: makes both axes logarithmic.
    """
    with drawing(7.5, 4.2, title, path) as axis:
        _draw_curves(axis, curves)
        if target is not None:
            show_target(axis, target, target_name)
        if log:
            axis.loglog()
        else:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axis.set(xlabel=xlabel, ylabel=ylabel, ylim=ylim)
        axis.grid(alpha=0.3)
        if len(curves) > 1:
            axis.legend()


def _draw_curves(axis: Axes, curves: dict[str, Sequence[tuple[float, float]]]) -> None:
    """Draws each curve that has points."""
    styles = zip([BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK], ["-", "--", "-.", ":", "-", "--"], "osD^vx")
    for (name, points), (color, line, marker) in zip(curves.items(), styles):
        if points:
            xs, ys = zip(*points)
            axis.plot(xs, ys, color=color, linestyle=line, marker=marker if len(xs) <= 40 else "", label=name)


def show_training(
    rates: Sequence[float],
    losses: dict[str, Sequence[tuple[float, float]]],
    *,
    title: str = "",
    ylim: tuple[float, float] | None = None,
    path: File = None,
) -> None:
    """Draws the learning rate of each step, and beside it curves of losses by epoch, over the same epochs."""
    num_epochs = max(x for points in losses.values() for x, _ in points)
    with drawing(11, 4, title, path, ncols=2) as (left, right):
        left.plot([num_epochs * i / len(rates) for i in range(len(rates))], rates, color=BLUE)
        left.set(ylabel="learning rate", title=f"{len(rates):,} steps")
        _draw_curves(right, losses)
        right.set(ylabel="cross-entropy (nats per image)", title="loss", ylim=ylim)
        right.legend()
        for axis in (left, right):
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            axis.set(xlabel="epoch", xlim=(0, num_epochs + 0.2))
            axis.grid(alpha=0.3)


def _write_numbers(axis: Axes, values: Tensor, name: str, limit: float, digits: int) -> None:
    """Draws a small table of numbers as colored squares: orange below zero, white at zero, purple above."""
    axis.imshow(values.numpy(), cmap="PuOr", vmin=-limit, vmax=limit)
    for row, numbers in enumerate(values.tolist()):
        for column, number in enumerate(numbers):
            color = "white" if abs(number) > 0.7 * limit else "black"
            text = f"{round(number, digits) + 0:.{digits}f}"  # no "-0.00"
            axis.text(column, row, text, ha="center", va="center", fontsize=12, color=color)
    axis.set_title(name, fontsize=11)
    axis.axis("off")


def show_numbers(
    arrays: dict[str, Tensor],
    *,
    image: Tensor | None = None,
    corner: tuple[int, int] = (0, 0),
    digits: int = 2,
    title: str = "",
    path: File = None,
) -> None:
    """Shows small arrays (H, W) side by side, with each of their numbers.

    Args:
        image: (H, W), shown before them. A square marks where the first array was cut out of it.
        corner: row and column of that square.
        digits: after the decimal point.
    """
    count, limit = len(arrays) + (image is not None), max(float(array.abs().max()) for array in arrays.values())
    with drawing(2.9 * count, 3.3, title, path, ncols=count, squeeze=False) as axes:
        axes = list(axes[0])
        if image is not None:
            first, axis = next(iter(arrays.values())), axes.pop(0)
            axis.imshow(image.numpy(), cmap="gray_r")
            (row, column), (height, width) = corner, first.shape
            place = (column - 0.5, row - 0.5)
            axis.add_patch(Rectangle(place, width, height, fill=False, edgecolor=ORANGE, linewidth=2))
            axis.set_title(f"row {row}, column {column}", fontsize=11)
            axis.axis("off")
        for axis, (name, array) in zip(axes, arrays.items()):
            _write_numbers(axis, array, name, limit, digits)


def show_maps(rows: dict[str, Tensor], *, size: float = 0.42, title: str = "", path: File = None) -> None:
    """Shows the maps of each layer in a row of its own.

    A row with negative numbers is drawn orange below zero and purple above, any other one dark on light. All maps
    of a row share one scale.

    Args:
        rows: maps (C, H, W) by the name of what made them.
        size: width of each map in inches.
    """
    columns, side, cell = max(len(maps) for maps in rows.values()), 84, 96  # many sizes of maps divide 84
    picture = torch.ones(len(rows) * cell, columns * cell, 4)
    for i, maps in enumerate(rows.values()):
        limit = max(float(maps.abs().max()), 1e-12)
        name, scaled = ("PuOr", (maps / limit + 1) / 2) if maps.min() < 0 else ("gray_r", maps / limit)
        colors = torch.from_numpy(colormaps[name](scaled.numpy())).float()  # (C, H, W, 4)
        wide = F.interpolate(colors.movedim(-1, 1), (side, side))  # (C, 4, side, side)
        for k, one in enumerate(F.pad(wide, (2, 2, 2, 2), value=0.6).movedim(1, -1)):
            picture[i * cell : i * cell + side + 4, k * cell : k * cell + side + 4] = one
    picture[..., 3] = 1
    with drawing(size * columns + 2.2, size * len(rows) + 0.6, title, path) as axis:
        axis.imshow(picture.numpy(), interpolation="antialiased")
        axis.set_yticks([i * cell + side / 2 for i in range(len(rows))], rows, fontsize=9)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)


def show_bars(values: Sequence[float], xlabel: str, ylabel: str, *, title: str = "", path: File = None) -> None:
    """Shows numbers from 0 to 1 as bars, in percent, the first one on top."""
    with drawing(5, 2.8, title, path) as axis:
        bars = axis.barh(range(len(values)), [100 * value for value in values], color=BLUE)
        axis.bar_label(bars, [f"{100 * value:.1f}" if value >= 0.001 else "" for value in values], padding=3)
        axis.set(xlabel=xlabel, ylabel=ylabel, yticks=range(len(values)), xlim=(0, 115))
        axis.set_xticks(range(0, 101, 20))
        axis.invert_yaxis()


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Shows a table whose first column is text and whose others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    display(Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)))


def show_confusion(labels: Tensor, predictions: Tensor, *, title: str = "", path: File = None) -> None:
    """Shows how many images of each class (row) were given each label (column), and the accuracy of each class."""
    counts = torch.bincount(labels * 10 + predictions, minlength=100).view(10, 10).cpu()
    errors = counts - counts.diag().diag()
    names = [f"{digit}   {accuracy:.1f} %" for digit, accuracy in enumerate(100 * counts.diag() / counts.sum(dim=1))]
    with drawing(6.6, 5.6, title, path) as axis:
        # The colors show the errors alone: beside a thousand hits a row, nine errors would be white.
        picture = axis.imshow(errors.numpy(), cmap="Oranges", vmin=0, vmax=max(1, int(errors.max())))
        for row, column in counts.nonzero().tolist():
            color = "white" if errors[row, column] > 0.6 * errors.max() else "black"
            axis.text(column, row, int(counts[row, column]), ha="center", va="center", fontsize=9, color=color)
        axis.set(xticks=range(10), xlabel="predicted digit", ylabel="true digit and accuracy")
        axis.set_yticks(range(10), names)
        axis.figure.colorbar(picture, label="wrong predictions", shrink=0.8, ticks=MaxNLocator(integer=True))


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


def show_dots(
    rows: dict[str, Sequence[float]],
    xlabel: str,
    *,
    reference: float,
    noise: float,
    name: str = "ours",
    title: str = "",
    path: File = None,
) -> None:
    """Shows the values of each row as small dots, and their mean as a large symbol, on a logarithmic axis.

    A line parts the rows where the name before their colon changes.

    Args:
        reference: what to compare with, a line with this `name`.
        noise: a mean that differs from it by less than this part of it, inside the band, is drawn hollow and gray.
    """
    with drawing(9, 1.2 + 0.25 * len(rows), title, path) as axis:
        axis.axvspan(reference / (1 + noise), reference * (1 + noise), color=GRAY, alpha=0.18, linewidth=0)
        axis.axvline(reference, color=BLACK, linewidth=0.8, linestyle=(0, (1, 2)))
        for y, values in enumerate(rows.values()):
            mean = sum(values) / len(values)
            within = 1 / (1 + noise) <= mean / reference <= 1 + noise
            marker, color = ("o", GRAY) if within else (">", ORANGE) if mean > reference else ("<", BLUE)
            axis.plot(mean, y, marker, color=color, markersize=9, fillstyle="none" if within else "full")
            axis.plot(values, [y] * len(values), ".", color=BLACK, markersize=3.5)
        topics = [label.partition(":")[0] for label in rows]
        for y in range(1, len(rows)):
            if topics[y] != topics[y - 1]:
                axis.axhline(y - 0.5, color=GRAY, linewidth=0.5, alpha=0.5)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "235" else "")
        axis.set(xlabel=xlabel, ylim=(len(rows) - 0.3, -1.4))
        axis.set_yticks(range(len(rows)), rows, fontsize=10)
        axis.annotate(
            f"{name}, and the noise around it", (reference, -0.8), (16, 0), textcoords="offset points", va="center"
        )
        axis.grid(axis="x", alpha=0.3)


def show_panels(
    panels: dict[str, dict[str, Sequence[tuple[float, float]]]],
    xlabel: str,
    ylabel: str,
    *,
    ylim: tuple[float, float],
    target: float,
    target_name: str,
    title: str = "",
    path: File = None,
) -> None:
    """Draws named curves in panels of the same scale, three in a row; a dotted line stands at the height `target`."""
    rows = -(-len(panels) // 3)
    shape = {"nrows": rows, "ncols": 3, "sharex": True, "sharey": True, "squeeze": False}
    with drawing(11, 2.9 * rows + 0.4, title, path, **shape) as axes:
        for axis, (name, curves) in zip(axes.flat, panels.items()):
            _draw_curves(axis, curves)
            show_target(axis, target, target_name)
            axis.set(ylim=ylim)
            axis.set_title(name, fontsize=11)
            axis.grid(alpha=0.3)
            axis.legend()
        for axis in axes[-1]:
            axis.set(xlabel=xlabel)
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        for axis in axes[:, 0]:
            axis.set(ylabel=ylabel)


def show_histograms(
    panels: dict[str, Sequence[Tensor]],
    xlabel: str,
    bounds: tuple[float, float],
    *,
    title: str = "",
    path: File = None,
) -> None:
    """Draws for each panel how the values of its layers are spread: a line a layer, the later the brighter."""
    edges = torch.linspace(*bounds, 81).numpy()
    with drawing(10, 3.4, title, path, ncols=len(panels)) as axes:
        for axis, (name, layers) in zip(axes, panels.items()):
            for i, values in enumerate(layers):
                counts = torch.histc(values.flatten(), 80, *bounds)
                percent = (100 * counts / values.numel()).numpy()
                color, line = colormaps["viridis"](0.9 * i / len(layers)), "-" if i % 2 == 0 else "--"
                axis.stairs(percent, edges, color=color, linestyle=line, linewidth=1.6, label=f"layer {i + 1}")
            axis.set(xlabel=xlabel, ylabel="values in each bar (%)")
            axis.set_title(name, fontsize=11)
            axis.legend(fontsize=9)
