"""Pictures of numbers: digits, maps, kernels, the confusion matrix, and tables."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from helpers.plot.figure import ORANGE, SIGNED, drawing


def show_images(
    images: Tensor | Sequence[Tensor],
    captions: Sequence[str] = (),
    *,
    columns: int = 10,
    side: float = 0.95,
    title: str = "",
) -> None:
    """Shows images (N, 28, 28), or a list of images of any size, in a grid, dark on light, with captions over them.

    Each is shown `side` inches wide.
    """
    rows = -(-len(images) // columns)
    height = (side + (0.35 if captions else 0.05)) * rows + 0.5
    with drawing(side * columns, height, title, nrows=rows, ncols=columns, squeeze=False) as axes:
        for axis in axes.flat:
            axis.axis("off")
        for image, axis in zip(images, axes.flat):
            axis.imshow(torch.as_tensor(image).cpu().numpy(), cmap="gray_r")
        for caption, axis in zip(captions, axes.flat):
            axis.set_title(caption, fontsize=9)


def show_numbers(
    arrays: dict[str, Tensor],
    *,
    image: Tensor | None = None,
    corner: tuple[int, int] = (0, 0),
    title: str = "",
) -> None:
    """Shows small arrays (H, W) side by side, with each of their numbers to two decimals.

    Args:
        image: (H, W), shown before them. A square marks where the first array was cut out of it.
        corner: row and column of that square.
    """
    count, limit = len(arrays) + (image is not None), max(float(array.abs().max()) for array in arrays.values())
    with drawing(2.9 * count, 3.3, title, ncols=count, squeeze=False) as axes:
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
            _write_numbers(axis, array, name, limit)


def show_maps(rows: dict[str, Tensor], *, image: Tensor | None = None, size: float = 0.42, title: str = "") -> None:
    """Shows the maps of each layer in a row of its own: zero is white, positive is purple, negative is orange.

    All maps of a row share one scale.

    Args:
        rows: maps (C, H, W) by the name of what made them.
        image: what they were made of (H, W), shown in a row above them, as ink on paper.
        size: width of each map in inches.
    """
    side, cell = 84, 96  # many sizes of maps divide 84
    inks = {} if image is None else {"image": image.unsqueeze(0).float()}
    rows = inks | rows
    columns = max(len(maps) for maps in rows.values())
    picture = torch.ones(len(rows) * cell, columns * cell, 4)
    for i, (name, maps) in enumerate(rows.items()):
        scaled = maps / max(float(maps.abs().max()), 1e-12)
        drawn = colormaps["gray_r"](scaled.numpy()) if name in inks else SIGNED((scaled.numpy() + 1) / 2)
        colors = torch.from_numpy(drawn).float()  # (C, H, W, 4)
        wide = F.interpolate(colors.movedim(-1, 1), (side, side))  # (C, 4, side, side)
        for k, one in enumerate(F.pad(wide, (2, 2, 2, 2), value=0.6).movedim(1, -1)):
            picture[i * cell : i * cell + side + 4, k * cell : k * cell + side + 4] = one
    picture[..., 3] = 1
    with drawing(size * columns + 2.2, size * len(rows) + 0.6, title) as axis:
        axis.imshow(picture.numpy(), interpolation="antialiased")
        axis.set_yticks([i * cell + side / 2 for i in range(len(rows))], rows, fontsize=9)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)


def show_confusion(labels: Tensor, predictions: Tensor, *, title: str = "") -> None:
    """Shows how many images of each class (row) were given each label (column), and the accuracy of each class."""
    counts = torch.bincount(labels * 10 + predictions, minlength=100).view(10, 10).cpu()
    errors = counts - counts.diag().diag()
    names = [f"{digit}   {accuracy:.1f} %" for digit, accuracy in enumerate(100 * counts.diag() / counts.sum(dim=1))]
    with drawing(6.6, 5.6, title) as axis:
        # The colors show the errors alone: beside a thousand hits a row, nine errors would be white.
        picture = axis.imshow(errors.numpy(), cmap="Oranges", vmin=0, vmax=max(1, int(errors.max())))
        for row, column in counts.nonzero().tolist():
            color = "white" if errors[row, column] > 0.6 * errors.max() else "black"
            axis.text(column, row, int(counts[row, column]), ha="center", va="center", fontsize=9, color=color)
        axis.set(xticks=range(10), xlabel="predicted digit", ylabel="true digit and accuracy")
        axis.set_yticks(range(10), names)
        axis.figure.colorbar(picture, label="wrong predictions", shrink=0.8, ticks=MaxNLocator(integer=True))


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Shows a table whose first column is text and whose others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    display(Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)))


def _write_numbers(axis: Axes, values: Tensor, name: str, limit: float) -> None:
    """Draws a small table of numbers as colored squares: orange below zero, white at zero, purple above."""
    axis.imshow(values.numpy(), cmap=SIGNED, vmin=-limit, vmax=limit)
    for row, numbers in enumerate(values.tolist()):
        for column, number in enumerate(numbers):
            color = "white" if abs(number) > 0.7 * limit else "black"
            text = f"{round(number, 2) + 0:.2f}"  # no "-0.00"
            axis.text(column, row, text, ha="center", va="center", fontsize=12, color=color)
    axis.set_title(name, fontsize=11)
    axis.axis("off")
