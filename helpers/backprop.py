"""Part 1: the course's 2-2-2 sigmoid network without biases, every derivative by hand.

Names are the course's: inputs i, weights w1..w8, sums h and o, their sigmoids a_h and a_o, targets t.

    h1 = w1 i1 + w2 i2        o1 = w5 a_h1 + w6 a_h2        E_total = E1 + E2
    h2 = w3 i1 + w4 i2        o2 = w7 a_h1 + w8 a_h2        Ek = 1/2 (tk - a_ok)^2
"""

import math
from collections import namedtuple
from collections.abc import Sequence

INPUTS = (0.05, 0.10)
TARGETS = (0.01, 0.99)
WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
LEARNING_RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)

# All values of one forward pass, in the order in which they arise.
Forward = namedtuple("Forward", "h1 h2 a_h1 a_h2 o1 o2 a_o1 a_o2 E1 E2 E_total")

# The derivatives of E_total: the four shared factors, then the tuple of those by w1..w8.
Backward = namedtuple("Backward", "dE_do1 dE_do2 dE_dh1 dE_dh2 dE_dw")

# The tuple of the eight weights, and the forward and the backward pass with them.
Iteration = namedtuple("Iteration", "weights forward backward")


def sigmoid(x: float) -> float:
    """Returns 1 / (1 + exp(-x)), for any finite x without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def forward(weights: Sequence[float], inputs: Sequence[float] = INPUTS, targets: Sequence[float] = TARGETS) -> Forward:
    """Computes the network's values and its error."""
    w1, w2, w3, w4, w5, w6, w7, w8 = weights
    (i1, i2), (t1, t2) = inputs, targets
    h1 = w1 * i1 + w2 * i2
    h2 = w3 * i1 + w4 * i2
    a_h1, a_h2 = sigmoid(h1), sigmoid(h2)
    o1 = w5 * a_h1 + w6 * a_h2
    o2 = w7 * a_h1 + w8 * a_h2
    a_o1, a_o2 = sigmoid(o1), sigmoid(o2)
    E1, E2 = (t1 - a_o1) ** 2 / 2, (t2 - a_o2) ** 2 / 2
    return Forward(h1, h2, a_h1, a_h2, o1, o2, a_o1, a_o2, E1, E2, E1 + E2)


def backward(
    weights: Sequence[float],
    values: Forward,
    inputs: Sequence[float] = INPUTS,
    targets: Sequence[float] = TARGETS,
) -> Backward:
    """Computes the derivatives of E_total by the chain rule, from the error back to the inputs."""
    *_, w5, w6, w7, w8 = weights
    (i1, i2), (t1, t2) = inputs, targets
    a_h1, a_h2, a_o1, a_o2 = values.a_h1, values.a_h2, values.a_o1, values.a_o2
    dE_do1 = (a_o1 - t1) * a_o1 * (1 - a_o1)
    dE_do2 = (a_o2 - t2) * a_o2 * (1 - a_o2)
    dE_dh1 = (dE_do1 * w5 + dE_do2 * w7) * a_h1 * (1 - a_h1)
    dE_dh2 = (dE_do1 * w6 + dE_do2 * w8) * a_h2 * (1 - a_h2)
    dE_dw = (
        dE_dh1 * i1,  # w1
        dE_dh1 * i2,  # w2
        dE_dh2 * i1,  # w3
        dE_dh2 * i2,  # w4
        dE_do1 * a_h1,  # w5
        dE_do1 * a_h2,  # w6
        dE_do2 * a_h1,  # w7
        dE_do2 * a_h2,  # w8
    )
    return Backward(dE_do1, dE_do2, dE_dh1, dE_dh2, dE_dw)


def update(weights: Sequence[float], dE_dw: Sequence[float], lr: float) -> tuple[float, ...]:
    """Moves every weight against its derivative: w - lr dE/dw."""
    return tuple(w - lr * slope for w, slope in zip(weights, dE_dw, strict=True))


def train(
    lr: float,
    num_iterations: int = 100,
    weights: Sequence[float] = WEIGHTS,
    inputs: Sequence[float] = INPUTS,
    targets: Sequence[float] = TARGETS,
) -> list[Iteration]:
    """Trains by gradient descent.

    Returns:
        `num_iterations` + 1 rows: before the first update, and after each.

    Raises:
        ValueError: not 8 weights, 2 inputs and 2 targets, or one is not finite, or `lr` is not a
            positive number, or `num_iterations` is less than 1.
    """
    for name, given, number in [("weights", weights, 8), ("inputs", inputs, 2), ("targets", targets, 2)]:
        if len(given) != number:
            raise ValueError(f"{name} must be {number} numbers, got {len(given)}")
        if not all(math.isfinite(value) for value in given):
            raise ValueError(f"{name} must be finite numbers, got {list(given)}")
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"lr must be a positive number, got {lr}")
    if num_iterations < 1:
        raise ValueError(f"num_iterations must be at least 1, got {num_iterations}")
    rows, weights = [], tuple(weights)
    for _ in range(num_iterations + 1):
        values = forward(weights, inputs, targets)
        slopes = backward(weights, values, inputs, targets)
        rows.append(Iteration(weights, values, slopes))
        weights = update(weights, slopes.dE_dw, lr)
    return rows
