"""What all figures have in common: colors, a frame that shows or saves, and where matplotlib draws."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from IPython.display import Image, display

# A backend that the user's shell names may not exist here; matplotlib would then not even be imported.
if not os.environ.get("MPLBACKEND", "").startswith("module://matplotlib_inline"):
    os.environ.pop("MPLBACKEND", None)

from matplotlib.figure import Figure

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
