"""What all figures have in common: colors and a frame that shows or saves."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from IPython.display import Image, display
from matplotlib import colormaps
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by color-blind readers.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
GRAY = "#888888"
SIGNED = colormaps["PuOr"]  # numbers from -1 to 1: orange, white at zero, purple; the page has the same ends
File = Path | str | None


class Picture(Image):
    """A picture that is called by its alt text where a notebook holds plain text: VS Code reads that out."""

    def __repr__(self) -> str:
        return self.alt or super().__repr__()


@contextmanager
def drawing(width: float, height: float, title: str, path: File = None, **grid) -> Iterator:
    """Gives axes of that many inches to draw on, then shows or saves the figure."""
    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure.subplots(**grid)
    figure.suptitle(title, fontsize=12)
    if path is not None:
        figure.savefig(path, dpi=150, facecolor="white")
        return
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100, facecolor="white")
    display(Picture(picture.getvalue(), format="png", alt=title))
