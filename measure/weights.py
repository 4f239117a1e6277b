"""The weights that recorded runs ended with, in results/weights/NAME-SEED.pt.

Each run that the test set scores leaves them, by `python -m measure.sweep`.
"""

import io
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
    """Writes `results/weights/NAME-SEED.pt`."""
    buffer = io.BytesIO()
    torch.save(weights._asdict(), buffer)
    write_whole(path_of(name, seed), buffer.getvalue())


def path_of(name: str, seed: int) -> Path:
    return results.RESULTS / "weights" / f"{name}-{seed}.pt"


def row_of(name: str) -> dict[str, str]:
    """Returns the first recorded test run of a recipe whose weights are kept.

    Raises:
        FileNotFoundError: there is none.
    """
    for row in results.read_results(name):
        if path_of(name, int(row["seed"])).exists():
            return row
    raise FileNotFoundError(f"no weights of {name} are kept: {_made_by(name, 0)} makes them")


def _made_by(name: str, seed: int) -> str:
    """Returns the command that makes a run's weights: a sweep skips what has a row already."""
    if any(row["seed"] == str(seed) for row in results.read_results(name)):
        return f"python -m measure.remake {name} --seeds {seed}"
    return f"python -m measure.sweep {name} --seeds {seed} --split test"


def trained(name: str) -> tuple[nn.Module, float, float]:
    """Returns `load_weights` of the first recorded test run that has any.

    Raises:
        FileNotFoundError: there is none.
    """
    return load_weights(name, int(row_of(name)["seed"]))


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
