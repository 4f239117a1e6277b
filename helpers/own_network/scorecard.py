"""Grades any network against the assignment: its list of techniques, and its three targets.

What cannot be graded raises a ValueError, see `read`.
"""

from collections.abc import Iterator
from math import log

import torch
import torch.nn.functional as F
from torch import nn

from helpers.model import NUM_CLASSES
from helpers.own_network.line import Line
from helpers.own_network.receptive_field import UNCHANGED, View, views, without_gates
from helpers.own_network.trace import Call, Trace, trace
from helpers.train import History

MAXIMUM = ("max_pool2d", "adaptive_max_pool2d", "amax", "max")
# What a layer makes of the whole map, by its kind.
WHOLE = {"conv": "a {0}x{1} convolution over the whole map: a fully connected layer in disguise"}
WHOLE |= dict.fromkeys(("avg_pool2d", "adaptive_avg_pool2d", "mean", "sum"), "the average of the whole {0}x{1} map")
WHOLE |= dict.fromkeys(MAXIMUM, "the maximum of the whole {0}x{1} map, not its average")
# What should not be done to logits, by what does it.
LAST = {
    "softmax": "cross-entropy takes the softmax itself: after two of them gradients are small and training is slow",
    "log_softmax": "right before nll_loss; cross_entropy takes it itself, and a second one changes nothing",
    "sigmoid": "cross-entropy needs logits of any size: leave it out",
    "relu": "logits below zero are lost, and their gradients with them: leave it out",
    "dropout": "a class whose logit is dropped cannot be told: put it before the last layer",
}


@torch.inference_mode(False)
@torch.enable_grad()
def read(model: nn.Module, input_size: int = 28) -> tuple[Trace, Trace]:
    """Returns what a model does in train mode and in eval mode with images of a side; it stays as it is.

    Raises:
        ValueError: the model cannot be graded; the message says what to change.
    """
    evaluation = trace(model, input_size=input_size)
    # A ghost batch norm splits a batch into equal parts.
    training = trace(model, training=True, input_size=input_size, batch=32)
    shape, logits = tuple(evaluation.output.tensor.shape), training.output.tensor
    if shape != (2, NUM_CLASSES):
        advice = "flatten or average its maps" if len(shape) > 2 else f"its last layer must have {NUM_CLASSES} outputs"
        if not evaluation.output.tensor.is_floating_point():
            advice = "return the logits, not the digit: leave argmax out"
        elif shape[:1] != (2,):
            advice = f"a map is larger than 1x1, and view(-1, {NUM_CLASSES}) took its pixels for images"
        expected = f"logits of shape (2, {NUM_CLASSES}) for two images"
        raise ValueError(f"the network must return {expected}, got {shape}: {advice}")
    if not (logits.isfinite().all() and evaluation.output.tensor.isfinite().all()):
        raise ValueError("the network returns values that are not finite: look at its initial weights")
    weights = [p for p in training.parameters.values() if p.requires_grad]
    if not weights or not logits.requires_grad:
        raise ValueError("the network trains nothing: no parameter with requires_grad leads to its logits")
    for p in weights:  # of a copy
        p.grad = None
    F.cross_entropy(logits, logits.argmin(1)).backward()
    if not any(p.grad is not None and p.grad.any() for p in weights):
        raise ValueError("the network trains nothing: the gradient of every parameter is zero")
    return training, evaluation


def grade_techniques(model: nn.Module, input_size: int = 28) -> list[Line]:
    """Looks for each technique of the assignment in what the model does with an image, and adds advice."""
    training, evaluation = read(model, input_size)
    seen_by = views(evaluation)
    # Along channels, as in a gate, is no convolution of the image; neither is one that enlarges it.
    convs = [call for call in seen_by if call.kind == "conv" and not call.arguments["transposed"]]
    convs = [call for call in convs if max(call.arguments["weight"].shape[2:]) == 1 or not _has_seen_all(call, seen_by)]
    points = [call for call in convs if max(call.arguments["weight"].shape[2:]) == 1]
    padded = [call for call in convs if _is_padded(call, seen_by)]
    wide = [call in padded for call in convs if call not in points]
    norms = [call for call in training.calls if call.kind == "batch_norm"]
    rates = [call.arguments["p"] for call in training.calls if call.kind == "dropout"]
    kept = [call.arguments.get("p") for call in training.calls if call.kind == "bernoulli"]  # dropout of attention
    rates += [round(1 - p, 6) for p in kept if isinstance(p, float)]
    whole = [call for call, view in seen_by.items() if call in view.ends and _is_maximum_of_all(call)]
    pools = [call for call in seen_by if call.kind in MAXIMUM[:2] and call not in whole]
    counted = times(len(pools)) + ", and a maximum over the whole map, which does not count" * bool(whole)
    # Neither what makes factors for a map nor what comes after the whole map was seen refines a pooling's choice.
    refining = [call for call in without_gates(evaluation, seen_by) & set(convs) if not _has_seen_all(call, seen_by)]
    after = [call in pools for call in reversed(seen_by) if call in [*refining, *pools]].index(True) if pools else 2
    near = f"{after} convolution{'s' * (after != 1)} after the last one, asked 2" if pools else "there is none"
    return [
        Line("convolutions with padding", any(wide), f"{wide.count(True)} of {len(wide)} larger than 1x1"),
        Line("convolutions without padding", not all(wide), f"{wide.count(False)} of {len(wide)} larger than 1x1"),
        Line("1x1 convolution", bool(points), f"{len(points)} of {len(convs)} convolutions"),
        Line("batch norm", bool(norms), times(len(norms))),
        Line("dropout", bool(rates), f"rates {rates}" if rates else "none"),
        Line("max pooling twice", len(pools) == 2, counted),
        Line("max pooling not near the output", after >= 2, near),
        _head(evaluation, seen_by),
        *_advice(training, evaluation, [call for call in points if call in padded]),
    ]


def _has_seen_all(call: Call, seen_by: dict[Call, View]) -> bool:
    """Tells whether each value that a call is given has seen the whole map."""
    return all(seen_by[x].seen for x in call.inputs if x in seen_by)


def _is_padded(call: Call, seen_by: dict[Call, View]) -> bool:
    """Tells whether a convolution adds a border, by itself or by a layer before it."""
    by_layer = not _has_seen_all(call, seen_by) and any(axis.padding > 0 for axis in seen_by[call].axes)
    return any(call.arguments["padding"]) or by_layer


def _is_maximum_of_all(call: Call) -> bool:
    """Tells whether a maximum is taken of the whole map, and not by a window that would slide on a larger one."""
    kernel = call.arguments.get("kernel_size") or [0]
    return call.kind in MAXIMUM and list(kernel) <= list(call.arguments.get("stride") or kernel)


def times(count: int) -> str:
    """Returns how often something is used, in words."""
    return {0: "not used", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _head(record: Trace, seen_by: dict[Call, View]) -> Line:
    """Says how the network comes from maps to logits."""
    view = seen_by.get(record.output, View())
    last = _source(record.output, (*UNCHANGED, *LAST))
    linear = sum(_is_fully_connected(call, seen_by) for call in without_gates(record, seen_by))
    linear += view.unknown != "" and linear == 0 and last.kind == "linear" and last.tensor.ndim == 2
    ends = [end for end in view.ends if end.kind in WHOLE and end.arguments.get("groups", 1) == 1]
    passed = linear > 0 or any(end.kind not in MAXIMUM for end in ends)
    reasons = [f"not followed: {view.unknown}"] if view.unknown and not view.ends else []
    reasons += [WHOLE[end.kind].format(*(axis.kernel for axis in seen_by[end].axes)) for end in ends]
    reasons += [f"{linear} fully connected"] if linear else []
    for call, sight in seen_by.items():
        if call.kind == "avg_pool2d" and call.tensor.shape[-1] == 1 and not sight.seen:
            side, size = sight.axes[0].kernel, call.inputs[0].tensor.shape[-1]
            reasons += [f"{call.name} averages {side}x{side} of {size}x{size} pixels: AdaptiveAvgPool2d(1) takes all"]
    verdict = passed or (None if view.unknown and not view.ends else False)
    return Line("global average pooling or FC", verdict, "; ".join(reasons) or "neither")


def _is_fully_connected(call: Call, seen_by: dict[Call, View]) -> bool:
    """Tells whether a layer mixes all that an image has left: a linear layer, or a convolution of a single position."""
    if call.kind != "conv":
        return call.kind == "linear" and seen_by[call].seen
    mixes_none = any(x.kind in MAXIMUM or x.arguments.get("groups", 1) > 1 for x in seen_by[call].ends)
    return call.arguments["groups"] == 1 and _has_seen_all(call, seen_by) and mixes_none


def _advice(training: Trace, evaluation: Trace, padded_points: list[Call]) -> Iterator[Line]:
    """Names what the assignment does not forbid, but costs accuracy or parameters."""
    last = _source(training.output, UNCHANGED)
    if last.kind in LAST:
        yield Line(f"{last.kind} on the logits", None, LAST[last.kind])
    stuck = [call for call in evaluation.calls if call.is_random]
    batched = [call for call in evaluation.calls if call.kind == "batch_norm" and call.arguments.get("training")]
    normed = [_source(x.inputs[0], (*UNCHANGED, "max_pool2d")) for x in training.calls if x.kind == "batch_norm"]
    biased = [call for call in normed if call.kind == "conv" and call.arguments["bias"] is not None]
    biased = [call for call in biased if sum(call in x.inputs for x in training.calls) == 1]  # nothing else reads it
    saved = sum({id(bias): bias.numel() for bias in (call.arguments["bias"] for call in biased)}.values())
    for criterion, calls, advice in (
        ("random in eval mode, too", stuck, "give it training=self.training, or take nn.Dropout"),
        ("batch norm of the batch alone", batched, "in eval mode, too, the other images change the logits"),
        ("1x1 convolution with padding", padded_points, "it adds a border without any image"),
        ("bias before batch norm", biased, f"the norm takes it away, bias=False saves {saved:,}"),
    ):
        if calls:
            yield Line(criterion, None, f"{', '.join(dict.fromkeys(call.name for call in calls))}: {advice}")


def _source(call: Call, kinds: tuple[str, ...]) -> Call:
    """Returns the call behind those of some kinds."""
    while call.kind in kinds and call.inputs:
        call = call.inputs[0]
    return call


def grade_targets(model: nn.Module, history: History, input_size: int = 28) -> list[Line]:
    """Compares parameters, epochs and the final epoch's accuracy with the assignment's three targets."""
    epochs, (count, reason) = len(history.test), count_used(model, input_size)
    accuracy = history.test[-1].accuracy if history.test else 0.0
    reached = f"{accuracy:.2f} % after the final epoch"
    if history.train and abs(history.train[-1].loss - log(NUM_CLASSES)) < 0.1:
        reached += "; the loss stays near 2.30, that of guessing: try a tenth of lr, batch norm, no softmax"
    return [
        Line("accuracy of at least 99.4 %", accuracy >= 99.4, reached),
        Line("fewer than 20,000 parameters", count < 20_000, reason),
        Line("fewer than 20 epochs", 0 < epochs < 20, f"{epochs}"),
    ]


def count_used(model: nn.Module, input_size: int = 28) -> tuple[int, str]:
    """Counts the parameters that a network uses, frozen ones included, each once; says what else there is."""
    training, evaluation = read(model, input_size)
    used = training.parameters | evaluation.parameters
    count = sum(p.numel() for p in used.values())
    frozen = sum(p.numel() for p in used.values() if not p.requires_grad)
    reason = f"{count:,}" + f", {frozen:,} of them frozen" * bool(frozen)
    if unused := {name: p.numel() for name, p in training.model.named_parameters() if name not in used}:
        needed = {name.rpartition(".")[0] for name in used}
        layers = {name if name.rpartition(".")[0] in needed else name.rpartition(".")[0] or name for name in unused}
        why = "noise does not reach" if training.read or evaluation.read else "are never used: delete"
        reason += f"; without {sum(unused.values()):,} that {why} {', '.join(sorted(layers))}"
    # torchsummary counts weight and bias of each module that is called, but not the network's own.
    shown = {
        name: sum(p.numel() for key, p in m.named_parameters(recurse=False) if name and key in ("weight", "bias"))
        for name, m in training.model.named_modules()
    }
    if again := [name for name in shown if shown[name] and training.modules.count(name) > 1]:
        total = sum(shown[name] for name in training.modules)
        seen = {f"{name}.{key}" for name in training.modules if name for key in ("weight", "bias")}
        left_out = [name for name in used if name not in seen]
        reason += f"; torchsummary shows {total:,}, for it counts {', '.join(again)} each time that it is called"
        reason += f" and leaves out {', '.join(left_out)}" * bool(left_out)
    return count, reason
