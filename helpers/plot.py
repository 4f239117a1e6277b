"""Figures from plain data. Each shows itself in a notebook, or is saved if a path is given."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

# Okabe and Ito's palette, told apart by colour-blind readers.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
GREY = "#888888"


def _finish(figure: plt.Figure, path: Path | str | None) -> None:
    if path is not None:
        figure.savefig(path, dpi=150, facecolor="white")
        plt.close(figure)
    else:
        plt.show()


def show_images(
    images: Tensor,
    captions: Sequence[str] | None = None,
    *,
    columns: int = 10,
    title: str = "",
    path: Path | str | None = None,
) -> None:
    """Shows images (N, 28, 28) in a grid, in grey, dark on light, with a caption over each."""
    rows = -(-len(images) // columns)
    height = 1.0 if captions is None else 1.3
    size = (0.95 * columns, height * rows + 0.5)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for i, (image, axis) in enumerate(zip(images, axes.flat)):
        axis.imshow(image, cmap="gray_r")
        if captions is not None:
            axis.set_title(captions[i], fontsize=9)
    figure.suptitle(title, fontsize=12)
    _finish(figure, path)


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
    path: Path | str | None = None,
) -> None:
    """Plots up to six named curves of (x, y) points, each in a colour and line of its own.

    Args:
        target: draws a dotted line at this height, with its name.
        log: makes both axes logarithmic.
    """
    figure, axis = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    styles = zip([BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK], ["-", "--", "-.", ":", "-", "--"], "osD^vx")
    for (name, points), (colour, line, marker) in zip(curves.items(), styles):
        xs, ys = zip(*points)
        axis.plot(xs, ys, color=colour, linestyle=line, marker=marker if len(xs) <= 40 else "", label=name)
    if target is not None:
        axis.axhline(target, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
        text = f"{target_name} {target:g}"
        axis.annotate(text, (1, target), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    if log:
        axis.loglog()
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=ylim)
    axis.grid(alpha=0.3)
    if len(curves) > 1:
        axis.legend()
    _finish(figure, path)


def show_points(
    points: dict[str, tuple[float, float, float]],
    others: dict[str, tuple[float, float]],
    xlabel: str,
    *,
    title: str = "",
    target: float | None = None,
    path: Path | str | None = None,
) -> None:
    """Plots accuracy in percent over something that it costs, on a logarithmic axis, each point named.

    Args:
        points: (x, mean accuracy, standard deviation) by name, drawn with error bars.
        others: (x, accuracy) of single runs by name, drawn hollow.
    """
    figure, axis = plt.subplots(figsize=(8, 4.8), layout="constrained")
    for name, (x, y, spread) in points.items():
        axis.errorbar(x, y, spread, fmt="o", color=BLUE, capsize=4)
        axis.annotate(name, (x, y + spread), xytext=(0, 4), textcoords="offset points", color=BLUE, ha="center")
    for name, (x, y) in others.items():
        axis.plot(x, y, "s", color=ORANGE, fillstyle="none")
        axis.annotate(name, (x, y), xytext=(7, -12), textcoords="offset points", color=ORANGE, fontsize=9)
    if target is not None:
        axis.axhline(target, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
        axis.annotate(f"target {target:g}", (0, target), xycoords=("axes fraction", "data"), va="bottom")
    axis.set_xscale("log")
    axis.margins(x=0.2)
    axis.xaxis.set_major_formatter("{x:,g}")
    axis.xaxis.set_minor_formatter(lambda x, _: f"{x:,g}" if f"{x:e}"[0] in "25" else "")
    axis.set(xlabel=xlabel, ylabel="test accuracy, final epoch (%)", title=title)
    axis.grid(alpha=0.3, which="both")
    _finish(figure, path)


def show_confusion(labels: Tensor, predictions: Tensor, *, title: str = "", path: Path | str | None = None) -> None:
    """Shows how many images of each class (row) were given each label (column)."""
    counts = torch.bincount(labels * 10 + predictions, minlength=100).view(10, 10)
    errors = counts - counts.diag().diag()
    figure, axis = plt.subplots(figsize=(6.2, 5.6), layout="constrained")
    # The colours show the errors alone: beside a thousand hits a row, nine errors would be white.
    picture = axis.imshow(errors, cmap="Oranges", vmin=0, vmax=max(1, int(errors.max())))
    for row in range(10):
        for column in range(10):
            if count := int(counts[row, column]):
                dark = errors[row, column] > 0.6 * errors.max()
                axis.text(column, row, count, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    axis.set(xticks=range(10), yticks=range(10), xlabel="predicted digit", ylabel="true digit", title=title)
    figure.colorbar(picture, label="wrong predictions", shrink=0.8, ticks=MaxNLocator(integer=True))
    _finish(figure, path)


def show_class_accuracy(
    labels: Tensor, predictions: Tensor, *, title: str = "", path: Path | str | None = None
) -> None:
    """Shows the accuracy of each class in percent; the axis begins one point below the least."""
    accuracy = [100 * (predictions[labels == digit] == digit).double().mean().item() for digit in range(10)]
    figure, axis = plt.subplots(figsize=(7.5, 3), layout="constrained")
    bars = axis.bar(range(10), accuracy, color=BLUE)
    axis.bar_label(bars, fmt="%.1f", fontsize=9)
    axis.set(xticks=range(10), xlabel="digit", ylabel="accuracy (%)", title=title, ylim=(min(accuracy) - 1, 100.3))
    _finish(figure, path)


def show_network(layers: Sequence[tuple], *, title: str = "", path: Path | str | None = None) -> None:
    """Draws a chain of layers, each as its maps: as tall as they are, and wider the more there are.

    Args:
        layers: the rows of `helpers.model.receptive_field`.
    """
    figure, axis = plt.subplots(figsize=(11, 4), layout="constrained")
    blocks = [("image", 1, 28, GREY)]
    for layer in layers:
        kernel = f"{layer.kernel}x{layer.kernel}"
        if layer.type == "Conv2d":
            text = f"conv {kernel}" + ("\npadded" if layer.padding else "")
            blocks.append((text, layer.channels, layer.output_size, BLUE))
        else:
            text = "max pool" if layer.type.startswith(("Max", "AdaptiveMax")) else "average"
            blocks.append((f"{text}\n{kernel}", layer.channels, layer.output_size, ORANGE))
    x = 0.0
    for i, (text, channels, size, colour) in enumerate(blocks):
        width = 0.6 + channels / 8
        axis.add_patch(Rectangle((x, -size / 2), width, size, facecolor=colour, alpha=0.8))
        axis.text(x + width / 2, size / 2 + 0.8, f"{channels} x\n{size} x {size}", ha="center", fontsize=9)
        axis.text(x + width / 2, -15.5, text, ha="center", va="top", fontsize=9)
        if i + 1 < len(blocks):
            axis.annotate(
                "", (x + width + 3.0, 0), (x + width + 0.4, 0), arrowprops={"arrowstyle": "->", "color": GREY}
            )
        x += width + 3.4
    axis.set(xlim=(-2, x - 1.5), ylim=(-22, 20), title=title)
    axis.axis("off")
    _finish(figure, path)


def show_neurons(
    inputs: Sequence[float],
    weights: Sequence[float],
    hidden: Sequence[float],
    outputs: Sequence[float],
    targets: Sequence[float],
    *,
    title: str = "",
    path: Path | str | None = None,
) -> None:
    """Draws Part 1's 2-2-2 network with its weights on the edges and its values in the neurons."""
    figure, axis = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    rows, columns = (1.0, 0.0), (0.0, 2.0, 4.0)
    layers = [("i", inputs, GREY), ("a_h", hidden, BLUE), ("a_o", outputs, ORANGE)]
    for layer in (0, 1):
        for k in range(4):
            to, source = divmod(k, 2)
            start, end = (columns[layer], rows[source]), (columns[layer + 1], rows[to])
            axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": GREY, "shrinkA": 26, "shrinkB": 26})
            # A third of the way the four edges are apart, in the middle two of them would cross.
            x, y = (start[i] + (end[i] - start[i]) * 0.3 for i in (0, 1))
            number = 4 * layer + k
            axis.text(
                x, y + 0.05, f"w{number + 1} = {weights[number]:.2f}", ha="center", fontsize=9, backgroundcolor="white"
            )
    for (name, values, colour), x in zip(layers, columns):
        for k, (value, y) in enumerate(zip(values, rows), start=1):
            axis.plot(x, y, "o", markersize=52, color=colour, alpha=0.85)
            axis.text(x, y, f"{name}{k}\n{value:.4g}", ha="center", va="center", fontsize=9, color="white")
    for k, (target, y) in enumerate(zip(targets, rows), start=1):
        axis.text(columns[2] + 0.42, y, f"target\nt{k} = {target:.2f}", va="center", fontsize=10)
    axis.set(xlim=(-0.5, 5.2), ylim=(-0.45, 1.45), title=title)
    axis.axis("off")
    _finish(figure, path)
