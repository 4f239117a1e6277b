"""Checkpoints: training that is cut off and resumed ends with the same numbers as unbroken training."""

import io
from pathlib import Path
from typing import Any

import torch

from helpers.files import write_whole

# By name: the run's "model", "optimizer", "batches" and "history", and perhaps a "scheduler".
# Each has state_dict() and load_state_dict(state).
Parts = dict[str, Any]

# What training moves in the state of an optimizer or a schedule; the rest is as it was set.
MOVING = {"params", "last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial"}


def describe(parts: Parts, settings: dict[str, object]) -> dict[str, str]:
    """Returns what makes a run, as text by name: its settings, and what its parts say of themselves."""
    model, optimizer, scheduler = parts["model"], parts["optimizer"], parts.get("scheduler")
    facts = settings | {"layers": model, "optimizer": type(optimizer).__name__}
    facts |= {f"shape of {name}": tuple(value.shape) for name, value in model.state_dict().items()}
    for i, group in enumerate(optimizer.param_groups):
        names = group.keys() - MOVING - (set() if scheduler is None else {"lr"})
        facts |= {f"{name} of group {i}": group[name] for name in sorted(names)}
        facts[f"parameters in group {i}"] = len(group["params"])
    if scheduler is not None:
        facts["schedule"] = type(scheduler).__name__
        state = scheduler.state_dict()
        facts |= {f"{name.strip('_')} of the schedule": state[name] for name in state if name not in MOVING}
    return {name: str(value) for name, value in facts.items()}


def save_checkpoint(path: Path, parts: Parts, settings: dict[str, object], device: torch.device) -> None:
    """Writes settings, the states of all parts and of torch's random sources; the file is whole at any moment."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"facts": describe(parts, settings), "device": device.type, "random": torch.get_rng_state()}
    if device.type != "cpu":
        state["device_random"] = torch.get_device_module(device).get_rng_state(*_index(device))
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(
    path: Path, parts: Parts, settings: dict[str, object], device: torch.device, num_epochs: int
) -> None:
    """Gives all parts and torch's random sources the states in the file, which cannot run code.

    The file may come from another kind of device; then random draws start anew, and a line says so.

    Args:
        settings: all that makes the run's numbers. Its `num_epochs` may have changed if the schedule
            does not depend on it.
        num_epochs: how many epochs are wanted in all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its run had other settings or parts; nothing is loaded then.
    """
    data = path.read_bytes()
    advice = "Delete it to train from the start, or name another file."
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        old, num_done = state["facts"], len(state["history"]["test"])
    except Exception as error:  # what is no checkpoint fails in any way
        raise ValueError(f"{path} is no whole checkpoint. {advice}") from error
    new = describe(parts, settings)
    changed = [name for name in new | old if new.get(name) != old.get(name)]
    # A cycle is as long as the run, so its schedule would have changed too.
    if changed and changed != ["num_epochs"]:
        raise ValueError(f"{path} is of another run: {_difference(changed, old, new)}. {advice}")
    if num_done > num_epochs:
        raise ValueError(f"{path} has {num_done} epochs done, num_epochs is {num_epochs}. {advice}")
    is_same_device = state["device"] == device.type
    if not is_same_device and "batches" in state:
        state["batches"].pop("generator", None)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    if not is_same_device:
        print(f"{path.name} was written on {state['device']}: on {device.type}, random draws start anew.")
        return
    torch.set_rng_state(state["random"])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(state["device_random"], *_index(device))


def _difference(names: list[str], old: dict[str, str], new: dict[str, str]) -> str:
    """Returns the first few changes in words; long values, such as all layers, are not quoted."""
    words = []
    for name in names[:6]:
        was, now = old.get(name, "absent"), new.get(name, "absent")
        words.append(f"{name} was {was}, is {now}" if len(was + now) < 200 else f"{name} differ")
    return "; ".join(words) + (f"; and {len(names) - 6} more" if len(names) > 6 else "")


def _index(device: torch.device) -> tuple[torch.device, ...]:
    """Returns which device of its kind is meant, for those kinds of which there can be several."""
    return () if device.type == "mps" else (device,)
