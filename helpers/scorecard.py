"""Grades any network against the assignment: its three targets and its list of techniques."""

from collections.abc import Callable
from copy import deepcopy
from inspect import signature
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from helpers.model import NUM_CLASSES, count_parameters
from helpers.train import History


class Line(NamedTuple):
    """One line of the scorecard."""

    criterion: str
    passed: bool
    reason: str

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.criterion:34} {self.reason}"


class Call(NamedTuple):
    """A layer at work, whether it is a module or a function of torch.nn.functional."""

    name: str
    arguments: dict
    output: Tensor


class _Recorder(TorchFunctionMode):
    """Sees every function of torch that is called on tensors, so it sees functional layers too."""

    NAMES = ("conv2d", "linear", "batch_norm", "dropout", "pool2d", "mean")

    def __init__(self):
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if isinstance(output, Tensor) and any(part in name for part in self.NAMES):
            self.calls.append(Call(name, _named(func, args, kwargs or {}), output))
        return output


def _named(func: Callable, args: tuple, kwargs: dict) -> dict:
    """Returns all arguments by name; functions written in C have no signature to be read."""
    if func.__name__ == "conv2d":
        names = ["input", "weight", "bias", "stride", "padding", "dilation", "groups"]
        return dict(zip(names, args)) | kwargs
    try:
        bound = signature(func).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return kwargs
    bound.apply_defaults()
    return bound.arguments


def record(model: nn.Module) -> list[Call]:
    """Returns the layers that two images pass in train mode; the model and torch's random source stay as they are.

    Raises:
        ValueError: the model cannot be graded; the message says why.
    """
    model = deepcopy(model).cpu().train()
    images = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]), _Recorder() as recorder:
        try:
            logits = model(images)
        except Exception as error:
            raise ValueError(f"the network fails on images of shape (2, 1, 28, 28): {error}") from error
    if not isinstance(logits, Tensor) or logits.shape != (2, NUM_CLASSES):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the network must return logits of shape (2, {NUM_CLASSES}) for two images, got {shape}")
    if not logits.isfinite().all():
        raise ValueError("the network returns values that are not finite: look at its initial weights")
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights or not logits.requires_grad:
        raise ValueError("the network trains nothing: no parameter with requires_grad leads to its logits")
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    if not any(p.grad is not None and p.grad.abs().sum() > 0 for p in weights):
        raise ValueError("the network trains nothing: the gradient of every parameter is zero")
    return recorder.calls


def grade_techniques(model: nn.Module) -> list[Line]:
    """Looks for each technique of the assignment in what the model does with an image.

    Raises:
        ValueError: see `record`.
    """
    calls = record(model)
    convs = [call for call in calls if call.name == "conv2d"]
    kernels = [max(call.arguments["weight"].shape[2:]) for call in convs]
    padded = [call.arguments.get("padding", 0) not in (0, (0, 0), [0, 0], "valid") for call in convs]
    after = [
        sum(later.name in ("conv2d", "linear") for later in calls[i:])
        for i, call in enumerate(calls)
        if "max_pool2d" in call.name
    ]
    rates = [call.arguments["p"] for call in calls if "dropout" in call.name and call.arguments.get("training", True)]
    ends = [call for call in calls if "avg_pool2d" in call.name and call.output.shape[2:] == (1, 1)]
    ends += [call for call in calls if call.name == "mean" and call.output.ndim == 2]
    linear = sum(call.name == "linear" for call in calls)
    norms = sum("batch_norm" in call.name for call in calls)
    with_padding, without = sum(padded), sum(k > 1 and not p for k, p in zip(kernels, padded))
    of_all = f"of {len(convs)} convolutions"
    return [
        Line("convolutions with padding", with_padding > 0, f"{with_padding} {of_all}"),
        Line("convolutions without padding", without > 0, f"{without} {of_all}, 1x1 not counted"),
        Line("1x1 convolution", 1 in kernels, f"{kernels.count(1)} {of_all}"),
        Line("batch norm", norms > 0, f"{norms} times"),
        Line("dropout", any(rate > 0 for rate in rates), f"rates {rates}" if rates else "none"),
        Line("max pooling twice", len(after) == 2, f"{len(after)} times"),
        Line("max pooling not near the output", bool(after) and min(after) >= 2, f"layers between: {after}, asked 2"),
        Line("global average pooling or FC", bool(ends) or linear > 0, f"{len(ends)} GAP, {linear} FC"),
    ]


def grade_targets(model: nn.Module, history: History) -> list[Line]:
    """Holds parameters, epochs and the final epoch's accuracy against the assignment's three targets."""
    epochs, parameters = len(history.test), count_parameters(model)
    accuracy = history.test[-1].accuracy if history.test else 0.0
    return [
        Line("accuracy of at least 99.4 %", accuracy >= 99.4, f"{accuracy:.2f} % after the final epoch"),
        Line("fewer than 20,000 parameters", parameters < 20_000, f"{parameters:,}"),
        Line("fewer than 20 epochs", 0 < epochs < 20, f"{epochs}"),
    ]
