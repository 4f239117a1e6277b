"""The weights that recorded runs ended with, in results/weights/NAME-SEED.pt.

Each run that the test set scores leaves them, by `python -m measure.sweep`.
"""

import io
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers.beyond.recipes import ALL_RECIPES
from helpers.files import write_whole
from measure import results


class Weights(NamedTuple):
    """A network's weights and buffers by name, and the mean and deviation that its images are normalized by."""

    state: dict[str, Tensor]
    mean: float
    std: float


def save_weights(name: str, seed: int, weights: Weights) -> None:
    """Writes `results/weights/NAME-SEED.pt`; if that is refused, a file elsewhere, and says where."""
    buffer, path = io.BytesIO(), path_of(name, seed)
    torch.save(weights._asdict(), buffer)
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        kept = Path(tempfile.gettempdir(), path.name)
        write_whole(kept, buffer.getvalue())
        print(f"{path} could not be written ({error}): the weights are in {kept}. Move them there later.", flush=True)


def path_of(name: str, seed: int) -> Path:
    return results.RESULTS / "weights" / f"{name}-{seed}.pt"


def median_run(name: str) -> dict[str, str]:
    """Returns the row of the run in the middle, by accuracy and then by loss, among those whose weights are kept.

    It stands for the recipe where one run is shown: neither the best nor the worst.

    Raises:
        FileNotFoundError: there is none.
    """
    rows = [row for row in results.read_results(name) if path_of(name, int(row["seed"])).exists()]
    if not rows:
        raise FileNotFoundError(f"no weights of {name} are kept: {_made_by(name, 0)} makes them")
    rows.sort(key=lambda row: (float(row["accuracy"]), -float(row["loss"])))
    return rows[len(rows) // 2]


def _made_by(name: str, seed: int) -> str:
    """Returns the command that makes a run's weights: a sweep skips what has a row already."""
    if any(row["seed"] == str(seed) for row in results.read_results(name)):
        return f"python -m measure.remake {name} --seeds {seed}"
    return f"python -m measure.sweep {name} --seeds {seed} --split test"


def trained(name: str) -> tuple[nn.Module, float, float]:
    """Returns `load_weights` of a recipe's `median_run`.

    Raises:
        FileNotFoundError: there is none.
    """
    return load_weights(name, int(median_run(name)["seed"]))


def load_weights(name: str, seed: int) -> tuple[nn.Module, float, float]:
    """Returns a run's network in eval mode on the CPU, and the mean and deviation of its images' pixels.

    Raises:
        FileNotFoundError: they are not kept; the message says what makes them.
    """
    path = path_of(name, seed)
    if not path.exists():
        raise FileNotFoundError(f"no weights of {name}, seed {seed}, are kept: {_made_by(name, seed)} makes them")
    weights = Weights(**torch.load(path, map_location="cpu", weights_only=True))
    model = ALL_RECIPES[name].model()
    model.load_state_dict(weights.state)
    return model.eval(), weights.mean, weights.std
