"""Grades any network against the assignment: its list of techniques, and its three targets.

A submission is read by `python -m helpers.scorecard FILE:EXPRESSION`, such as `net.py:Net()`.
"""

import re
import sys
from collections import Counter
from math import log
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from helpers.model import NUM_CLASSES
from helpers.receptive_field import View, receptive_field, table, views, without_gates
from helpers.submission import load
from helpers.trace import Call, Trace, trace
from helpers.train import History

MAXIMUM = ("max_pool2d", "adaptive_max_pool2d", "amax", "max")
AVERAGE = ("avg_pool2d", "adaptive_avg_pool2d", "mean", "sum")
UNCHANGED = ("view", "unsafe_view", "reshape", "squeeze", "unsqueeze", "clone", "to_copy", "alias", "detach")
# What should not be done to logits, by what does it.
LAST = {
    "softmax": "cross-entropy takes the softmax itself: after two of them gradients are small and training is slow",
    "log_softmax": "cross-entropy takes it itself; a second one changes nothing, so leave it out",
    "sigmoid": "cross-entropy needs logits of any size: leave it out",
    "relu": "logits below zero are lost, and their gradients with them: leave it out",
    "dropout": "a class whose logit is dropped cannot be told: put it before the last layer",
}


class Line(NamedTuple):
    """One line of the scorecard."""

    criterion: str
    passed: bool | None  # None: a piece of advice, which the assignment does not ask for
    reason: str

    def __str__(self) -> str:
        return f"{ {True: 'PASS', False: 'FAIL', None: 'NOTE'}[self.passed] }  {self.criterion:34} {self.reason}"


@torch.inference_mode(False)
@torch.enable_grad()
def read(model: nn.Module) -> tuple[Trace, Trace]:
    """Returns what a model does in train mode and in eval mode; it stays as it is.

    Raises:
        ValueError: the model cannot be graded; the message says what to change.
    """
    training, evaluation = trace(model, training=True), trace(model)
    logits = training.output.tensor
    if logits.shape != (training.images, NUM_CLASSES):
        advice = "flatten or average its maps" if logits.ndim > 2 else f"its last layer must have {NUM_CLASSES} outputs"
        if len(logits) != training.images:
            advice = f"a map is larger than 1x1, and view(-1, {NUM_CLASSES}) took its pixels for images"
        shape = tuple(logits.shape)
        raise ValueError(
            f"the network must return logits of shape (2, {NUM_CLASSES}) for two images, got {shape}: {advice}"
        )
    if not logits.isfinite().all():
        raise ValueError("the network returns values that are not finite: look at its initial weights")
    weights = [call.tensor for call in (x for c in training.calls for x in c.inputs) if call.tensor.is_leaf]
    weights = {id(p): p for p in weights if p.requires_grad}.values()
    if not weights or not logits.requires_grad:
        raise ValueError("the network trains nothing: no parameter with requires_grad leads to its logits")
    gradients = torch.autograd.grad(
        F.cross_entropy(logits, torch.arange(len(logits)) % NUM_CLASSES), weights, allow_unused=True
    )
    if not any(g is not None and g.abs().sum() > 0 for g in gradients):
        raise ValueError("the network trains nothing: the gradient of every parameter is zero")
    return training, evaluation


def grade_techniques(model: nn.Module) -> list[Line]:
    """Looks for each technique of the assignment in what the model does with an image, and adds advice.

    Raises:
        ValueError: see `read`.
    """
    training, evaluation = read(model)
    view_of = views(evaluation)
    convs = [call for call in evaluation.calls if call.kind == "conv"]
    kernels = [max(call.arguments["weight"].shape[2:]) for call in convs]
    paddings = [
        max(max(call.arguments["padding"]), *(axis.padding for axis in view_of[call].axes), 0) for call in convs
    ]
    padded = sum(k > 1 and p > 0 for k, p in zip(kernels, paddings))
    unpadded = sum(k > 1 and p <= 0 for k, p in zip(kernels, paddings))
    of_all = f"of {len(convs)} convolutions"
    norms = sum(call.kind == "batch_norm" for call in training.calls)
    rates = [_rate(call) for call in training.calls if _rate(call)]
    pools = [call for call in evaluation.calls if call.kind in MAXIMUM[:2] and call not in view_of[call].ends]
    maxima = sum(call.kind in MAXIMUM and call in view_of[call].ends for call in evaluation.calls if call in view_of)
    times = f"{len(pools)} times" + ", and a maximum over the whole map, which does not count" * bool(maxima)
    after = (
        len([call for call in evaluation.calls[evaluation.calls.index(pools[-1]) :] if call in convs]) if pools else 0
    )
    near = f"{after} convolutions after the last one, asked 2" if pools else "there is none, see above"
    lines = [
        Line("convolutions with padding", padded > 0, f"{padded} {of_all}"),
        Line("convolutions without padding", unpadded > 0, f"{unpadded} {of_all}, 1x1 not counted"),
        Line("1x1 convolution", 1 in kernels, f"{kernels.count(1)} {of_all}"),
        Line("batch norm", norms > 0, f"{norms} times"),
        Line("dropout", bool(rates), f"rates {rates}" if rates else "none"),
        Line("max pooling twice", len(pools) == 2, times),
        Line("max pooling not near the output", not pools or after >= 2, near),
        _head(evaluation, view_of),
    ]
    return lines + _advice(training, evaluation, dict(zip(convs, zip(kernels, paddings))))


def _rate(call: Call) -> float:
    """Returns the rate of a dropout that is switched on, otherwise 0."""
    switched_on = call.kind == "dropout" and call.arguments.get("training", call.arguments.get("train", True))
    return call.arguments.get("p", 0.5) if switched_on else 0.0


def _head(record: Trace, view_of: dict[Call, View]) -> Line:
    """Says how the network comes from maps to logits."""
    view, reasons, passed = view_of[record.output], [], False
    if view.unknown and not view.ends:
        reasons.append(f"not followed: {view.unknown}")
    for end in view.ends:
        side = view_of[end].axes[0].kernel
        if end.kind in AVERAGE:
            reasons.append(f"the average of the whole {side}x{side} map")
        elif end.kind == "conv":
            reasons.append(f"a {side}x{side} convolution over the whole map: a fully connected layer in disguise")
        elif end.kind in MAXIMUM:
            reasons.append(f"the maximum of the whole {side}x{side} map, not its average")
        passed |= end.kind in (*AVERAGE, "conv")
    head = [call for call in without_gates(record, view_of) if view_of[call].seen]
    linear = sum(call.kind == "linear" for call in head)
    reasons += [f"{linear} fully connected"] if linear else []
    for call in record.calls:
        if call.kind == "avg_pool2d" and call.tensor.shape[-1] == 1 and not view_of[call].seen:
            side, size = view_of[call].axes[0].kernel, call.inputs[0].tensor.shape[-1]
            reasons.append(
                f"{call.name} averages {side}x{side} of {size}x{size} pixels: AdaptiveAvgPool2d(1) takes all"
            )
    return Line("global average pooling or FC", passed or linear > 0, "; ".join(reasons) or "neither")


def _advice(training: Trace, evaluation: Trace, convs: dict[Call, tuple[int, float]]) -> list[Line]:
    """Names what the assignment does not forbid, but costs accuracy or parameters."""
    lines = []
    last = _source(training.output, UNCHANGED)
    if last.kind in LAST:
        lines.append(Line(f"{last.kind} on the logits", None, LAST[last.kind]))
    if stuck := [call.name for call in evaluation.calls if _rate(call)]:
        advice = f"{', '.join(dict.fromkeys(stuck))}: give it training=self.training, or take nn.Dropout"
        lines.append(Line("dropout stays on in eval mode", None, advice))
    if border := [call.name for call, (kernel, padding) in convs.items() if kernel == 1 and padding > 0]:
        lines.append(
            Line("1x1 convolution with padding", None, f"{', '.join(border)}: it adds a border without any image")
        )
    normed = [_source(c.inputs[0], (*UNCHANGED, "max_pool2d")) for c in training.calls if c.kind == "batch_norm"]
    biased = [call for call in normed if call.kind == "conv" and call.arguments["bias"] is not None]
    if biased:
        count = sum(call.arguments["bias"].numel() for call in biased)
        names = ", ".join(dict.fromkeys(call.name for call in biased))
        lines.append(
            Line("bias before batch norm", None, f"{names}: the norm takes it away, bias=False saves {count:,}")
        )
    return lines


def _source(call: Call, kinds: tuple[str, ...]) -> Call:
    """Returns the call behind those of some kinds."""
    while call.kind in kinds and call.inputs:
        call = call.inputs[0]
    return call


def grade_targets(model: nn.Module, history: History) -> list[Line]:
    """Holds parameters, epochs and the final epoch's accuracy against the assignment's three targets.

    Raises:
        ValueError: see `read`.
    """
    epochs, (count, reason) = len(history.test), count_used(model)
    accuracy = history.test[-1].accuracy if history.test else 0.0
    reached = f"{accuracy:.2f} % after the final epoch"
    if history.train and abs(history.train[-1].loss - log(NUM_CLASSES)) < 0.1:
        reached += "; the loss stays near 2.30, that of guessing: try a tenth of lr, batch norm, no softmax"
    return [
        Line("accuracy of at least 99.4 %", accuracy >= 99.4, reached),
        Line("fewer than 20,000 parameters", count < 20_000, reason),
        Line("fewer than 20 epochs", 0 < epochs < 20, f"{epochs}"),
    ]


def count_used(model: nn.Module) -> tuple[int, str]:
    """Counts the parameters that a network uses, frozen ones included, each once; says what else there is.

    Raises:
        ValueError: see `read`.
    """
    training, evaluation = read(model)
    names = training.parameters | evaluation.parameters
    sizes = {name: p.numel() for name, p in training.model.named_parameters()}
    used = sum(size for name, size in sizes.items() if name in names)
    frozen = sum(p.numel() for name, p in training.model.named_parameters() if name in names and not p.requires_grad)
    unused = sorted({name.rpartition(".")[0] or name for name in sizes if name not in names})
    reason = f"{used:,}" + f", {frozen:,} of them frozen" * bool(frozen)
    if unused:
        reason += f"; without {sum(sizes.values()) - used:,} that are never used: delete {', '.join(unused)}"
    modules = dict(training.model.named_modules())
    calls = Counter(
        name for name in training.modules if next(modules[name].parameters(recurse=False), None) is not None
    )
    if again := [name for name in calls if calls[name] > 1]:
        shown = sum(p.numel() for name in training.modules for p in modules[name].parameters(recurse=False))
        reason += f"; torchsummary shows {shown:,}, for it counts {', '.join(again)} each time that it is called"
    return used, reason


def _table_of(model: nn.Module) -> list[str]:
    return [table(receptive_field(model))]


def main() -> int:
    """Prints what a network of a submission does, what its layers see, and its scorecard."""
    match = re.fullmatch(r"(.+\.(?:py|ipynb)):(.+)", sys.argv[1]) if len(sys.argv) == 2 else None
    if match is None:
        print("usage: python -m helpers.scorecard FILE:EXPRESSION, such as net.py:Net()", file=sys.stderr)
        return 2
    path, expression = Path(match[1]), match[2]
    print(f"Of {path.name}, imports, definitions and plain constants are executed, and nothing else.\n")
    try:
        model = load(path, expression)
        for call in trace(model).calls:
            print(f"{call.kind:20} {call.name:30} -> {tuple(call.tensor.shape)}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for part in (_table_of, grade_techniques, lambda model: [count_used(model)[1]]):
        try:
            print("", *part(model), sep="\n")
        except ValueError as error:
            print(error)
    print("\nWhat it reaches was not tried: training decides on its accuracy.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
