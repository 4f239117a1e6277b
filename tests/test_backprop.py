"""Part 1 against the class's values, torch.autograd and central differences, all in float64."""

import math
import random

import pytest
import torch

from helpers import backprop
from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS, backward, forward, train

OTHER_WEIGHTS = (0.3, 0.5, -0.2, 0.7, 0.1, -0.6, 0.3, -0.9)
random.seed(0)
RANDOM_WEIGHTS = [tuple(random.uniform(-2, 2) for _ in range(8)) for _ in range(5)]


def autograd(weights, inputs=INPUTS, targets=TARGETS):
    """E_total and its derivatives, by the same network written with matrices."""
    w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    i, t = (torch.tensor(x, dtype=torch.float64) for x in (inputs, targets))
    hidden = torch.sigmoid(w[:4].view(2, 2) @ i)
    error = ((t - torch.sigmoid(w[4:].view(2, 2) @ hidden)) ** 2).sum() / 2
    error.backward()
    return error.item(), w.grad.tolist()


def largest_difference(a, b):
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def test_class_values():
    values = forward(WEIGHTS)
    assert values.a_h1 == pytest.approx(0.506874567, abs=5e-10)
    assert values.a_h2 == pytest.approx(0.510623401, abs=5e-10)
    assert values.a_o1 == pytest.approx(0.606477732, abs=5e-10)
    assert values.a_o2 == pytest.approx(0.630480835, abs=5e-10)
    grads = backward(WEIGHTS, values).dE_dw
    assert grads[0] == pytest.approx(1.882557e-4, abs=5e-11)
    assert grads[3] == pytest.approx(4.496269e-4, abs=5e-11)
    assert grads[4] == pytest.approx(0.0721570729, abs=5e-11)
    assert grads[7] == pytest.approx(-0.0427692483, abs=5e-11)


@pytest.mark.parametrize(
    "lr, after_1, after_2, after_50, after_100",
    [
        (0.1, 0.241109039, 0.239704032, 0.179745045, 0.133510607),
        (0.2, 0.239701143, 0.236905839, 0.133394752, 0.079166423),
        (0.5, 0.235495378, 0.228620206, 0.063392460, 0.029166680),
        (0.8, 0.231317286, 0.220504294, 0.037698662, 0.016386628),
        (1.0, 0.228547765, 0.215191751, 0.028908896, 0.012395124),
        (2.0, 0.214901599, 0.189879326, 0.012226108, 0.005160109),
    ],
)
def test_class_error_curve(lr, after_1, after_2, after_50, after_100):
    errors = [row.forward.E_total for row in train(lr, 100)]
    assert len(errors) == 101
    assert errors[0] == pytest.approx(0.242519857, abs=5e-10)
    measured = [errors[n] for n in (1, 2, 50, 100)]
    assert measured == pytest.approx([after_1, after_2, after_50, after_100], abs=5.1e-10)


def test_other_years_weights():
    errors = [row.forward.E_total for row in train(0.5, 2, OTHER_WEIGHTS)]
    assert errors == pytest.approx([0.251231004, 0.243280632, 0.235553169], abs=5.1e-10)


@pytest.mark.parametrize("weights", [WEIGHTS, OTHER_WEIGHTS], ids=["class", "other"])
@pytest.mark.parametrize("lr", LEARNING_RATES)
def test_every_gradient_equals_autograd_all_the_way(lr, weights):
    for row in train(lr, 100, weights):
        error, grads = autograd(row.weights)
        assert largest_difference(row.backward.dE_dw, grads) <= 1e-12
        assert abs(row.forward.E_total - error) <= 1e-12


@pytest.mark.parametrize("weights", [WEIGHTS, OTHER_WEIGHTS, *RANDOM_WEIGHTS])
def test_gradients_equal_central_differences(weights):
    step = 1e-6
    differences = []
    for k in range(8):
        up, down = list(weights), list(weights)
        up[k] += step
        down[k] -= step
        differences.append((forward(up).E_total - forward(down).E_total) / (2 * step))
    assert largest_difference(backward(weights, forward(weights)).dE_dw, differences) < 1e-9


@pytest.mark.parametrize("weights", RANDOM_WEIGHTS)
def test_random_weights_inputs_and_targets(weights):
    inputs, targets = (0.7, -1.3), (0.2, 0.6)
    grads = backward(weights, forward(weights, inputs, targets), inputs, targets).dE_dw
    assert largest_difference(grads, autograd(weights, inputs, targets)[1]) <= 1e-12


def swap_hidden(grads, values):
    """The first published mistake: a_h1 (1 - a_h1) in the derivatives of w3 and w4."""
    factor = values.a_h1 * (1 - values.a_h1) / (values.a_h2 * (1 - values.a_h2))
    return grads[:2] + (grads[2] * factor, grads[3] * factor) + grads[4:]


def freeze_w4(grads, values):
    """The second: w4 is never updated."""
    return grads[:3] + (0.0,) + grads[4:]


@pytest.mark.parametrize("mistake", [swap_hidden, freeze_w4])
def test_published_mistakes_hide_in_the_error_but_not_in_the_gradients(mistake, monkeypatch):
    right = train(0.5, 100)

    def mistaken(weights, values, inputs, targets):
        slopes = backward(weights, values, inputs, targets)
        return slopes._replace(dE_dw=mistake(slopes.dE_dw, values))

    monkeypatch.setattr(backprop, "backward", mistaken)
    wrong = train(0.5, 100)
    assert max(abs(a.forward.E_total - b.forward.E_total) for a, b in zip(right, wrong)) < 1e-3
    assert all(largest_difference(row.backward.dE_dw, autograd(row.weights)[1]) > 1e-9 for row in wrong)


def test_sigmoid_never_overflows():
    assert backprop.sigmoid(1000) == 1 and backprop.sigmoid(-1000) == 0
    assert backprop.sigmoid(0) == 0.5 and math.isclose(backprop.sigmoid(-3), 1 - backprop.sigmoid(3))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weights": WEIGHTS[:7]}, "weights must be 8 numbers, got 7"),
        ({"weights": (*WEIGHTS[:7], math.nan)}, "weights must be finite"),
        ({"inputs": (0.1, math.inf)}, "inputs must be finite"),
        ({"targets": (0.1,)}, "targets must be 2 numbers, got 1"),
        ({"lr": 0}, "lr must be a positive number, got 0"),
        ({"lr": -1}, "lr must be a positive number, got -1"),
        ({"lr": math.nan}, "lr must be a positive number, got nan"),
        ({"num_iterations": 0}, "num_iterations must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(**{"lr": 0.5} | arguments)
