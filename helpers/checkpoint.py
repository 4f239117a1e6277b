"""Checkpoints: training that is cut off and resumed ends with the same numbers as unbroken training."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from helpers.files import write_whole

# Parts are models, optimizers, schedulers, batches: what has state_dict() and load_state_dict(state).
Parts = dict[str, Any]


def save_checkpoint(path: Path, parts: Parts) -> None:
    """Writes the states of all parts and of torch's random sources; the file is whole at any moment."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state["random"] = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: Path, parts: Parts) -> None:
    """Gives all parts and torch's random sources the states in the file, which cannot run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another network or other hyperparameters than these.
    """
    data = path.read_bytes()
    advice = "Delete it to train from the start, or name another file."
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is no whole checkpoint. {advice}") from error
    try:
        random = state["random"]
        new = _settings({name: part.state_dict() for name, part in parts.items()})
        if changed := [f"{name} was {old}" for name, old in _settings(state).items() if new.get(name, old) != old]:
            raise ValueError(f"its hyperparameters differ, {', '.join(changed)}")
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is of another network or run: {error}. {advice}") from error
    torch.set_rng_state(random["cpu"])
    if len(random["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(random["cuda"])


def _settings(state: dict[str, dict]) -> dict[str, object]:
    """Returns those hyperparameters in a checkpoint that training leaves as they are."""
    moving = {"params", "lr"} if "scheduler" in state else {"params"}
    groups = enumerate(state.get("optimizer", {}).get("param_groups", []))
    settings = {f"{key} of group {i}": group[key] for i, group in groups for key in group.keys() - moving}
    return settings | {"number of steps": state.get("scheduler", {}).get("total_steps")}
