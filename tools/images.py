"""Draws the README's pictures into images/: `python -m tools.images`.

Those of the trained network are taken from the executed notebook: the cells tagged `image:NAME`.
"""

import base64
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers import plot
from helpers.backprop import INPUTS, TARGETS, WEIGHTS, forward
from helpers.beyond.recipes import ALL_RECIPES
from helpers.model import count_parameters
from helpers.own_network.receptive_field import receptive_field
from measure.frontier import show_parameters
from measure.results import mean_curve

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "images"


def tagged_cells(start: str) -> list[NotebookNode]:
    """Returns the cells of Part 2's notebook that have a tag of this start."""
    cells = nbformat.read(ROOT / "notebooks" / "2_mnist.ipynb", as_version=4).cells
    return [cell for cell in cells if any(tag.startswith(start) for tag in cell.metadata.get("tags", []))]


def notebook_pictures() -> dict[str, bytes]:
    """Returns the picture that each cell tagged `image:NAME` shows, by name."""
    pictures = {}
    for cell in tagged_cells("image:"):
        (name,) = [tag.removeprefix("image:") for tag in cell.metadata.tags if tag.startswith("image:")]
        (picture,) = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
        pictures[name] = base64.b64decode(picture)
    return pictures


def main() -> None:
    start = forward(WEIGHTS)
    hidden, outputs = (start.a_h1, start.a_h2), (start.a_o1, start.a_o2)
    plot.show_neurons(
        {"i": INPUTS, "a_h": hidden, "a_o": outputs, "target t": TARGETS},
        WEIGHTS,
        title="The network of Part 1 before training",
        path=IMAGES / "backpropagation_network.png",
    )
    model = ALL_RECIPES["lesson"].model()
    plot.show_network(
        receptive_field(model),
        title=f"The network of Part 2: {count_parameters(model):,} parameters",
        path=IMAGES / "network.png",
    )
    plot.show_curves(
        {"our network": mean_curve("lesson", "accuracies"), "baseline": mean_curve("baseline", "accuracies")},
        "test accuracy (%)",
        title="Test accuracy after each epoch, mean over seeds",
        target=99.4,
        ylim=(95, 100),
        path=IMAGES / "accuracy.png",
    )
    show_parameters(IMAGES / "frontier.png")
    for name, picture in notebook_pictures().items():
        (IMAGES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
