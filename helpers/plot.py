"""Figures from plain data. Each shows itself in a notebook, or is saved if a path is given."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

# Okabe and Ito's palette, told apart by colour-blind readers.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"


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
    curves: dict[str, Sequence[tuple[int, float]]],
    ylabel: str,
    *,
    title: str = "",
    target: float | None = None,
    ylim: tuple[float, float] | None = None,
    path: Path | str | None = None,
) -> None:
    """Plots named curves of (epoch, value) points, each in a colour, marker and line of its own."""
    figure, axis = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    styles = zip([BLUE, ORANGE, GREEN, GREY], "osD^", ["-", "--", "-.", ":"])
    for (name, points), (colour, marker, line) in zip(curves.items(), styles, strict=False):
        epochs, values = zip(*points)
        axis.plot(epochs, values, color=colour, marker=marker, linestyle=line, markersize=5, label=name)
    if target is not None:
        axis.axhline(target, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
        axis.annotate(f"target {target:g}", (1, target), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel=ylabel, title=title, ylim=ylim)
    axis.grid(alpha=0.3)
    axis.legend()
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


def show_class_accuracy(labels: Tensor, predictions: Tensor, *, title: str = "", path: Path | str | None = None) -> None:
    """Shows the accuracy of each class in percent, from the worst value's tenth up."""
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
            axis.annotate("", (x + width + 3.0, 0), (x + width + 0.4, 0), arrowprops={"arrowstyle": "->", "color": GREY})
        x += width + 3.4
    axis.set(xlim=(-2, x - 1.5), ylim=(-22, 20), title=title)
    axis.axis("off")
    _finish(figure, path)
