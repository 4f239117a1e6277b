"""Drawings for the pad, as strokes: digits, and what is no digit."""

import numpy as np
from scipy.interpolate import make_interp_spline

from measure.train_scribble import strokes_of

Strokes = list[list[tuple[float, float]]]

# Digits as a person draws them, in a square of side 1.
DIGITS = {
    0: [[(0.5, 0), (0.15, 0.2), (0.1, 0.6), (0.35, 1), (0.7, 0.95), (0.9, 0.6), (0.8, 0.2), (0.5, 0)]],
    1: [[(0.5, 0), (0.5, 0.5), (0.5, 1)]],
    2: [[(0.1, 0.25), (0.3, 0), (0.7, 0.02), (0.8, 0.3), (0.5, 0.6), (0.1, 1), (0.5, 0.97), (0.95, 1)]],
    3: [[(0.1, 0.1), (0.5, 0), (0.8, 0.2), (0.4, 0.47), (0.85, 0.7), (0.6, 1), (0.1, 0.9)]],
    4: [[(0.3, 0), (0.1, 0.55), (0.9, 0.55)], [(0.7, 0.1), (0.65, 1)]],
    5: [[(0.85, 0), (0.25, 0.02), (0.2, 0.42), (0.6, 0.4), (0.85, 0.7), (0.55, 1), (0.1, 0.92)]],
    6: [[(0.7, 0), (0.3, 0.35), (0.15, 0.75), (0.45, 1), (0.8, 0.8), (0.6, 0.55), (0.2, 0.7)]],
    7: [[(0.1, 0.05), (0.85, 0), (0.55, 0.5), (0.35, 1)]],
    8: [[(0.75, 0.1), (0.4, 0), (0.25, 0.25), (0.7, 0.65), (0.6, 1), (0.25, 0.9), (0.35, 0.6), (0.75, 0.1)]],
    9: [[(0.75, 0.15), (0.4, 0), (0.2, 0.3), (0.5, 0.5), (0.75, 0.2), (0.7, 0.6), (0.6, 1)]],
}
# What is no digit, written as in measure/train_scribble.py, which draws none of these kinds.
FIGURES = {
    "A": "094099 2676",
    "B": "0009 ~0050725404 ~0464866909",
    "E": "80000989 0474",
    "F": "800009 0464",
    "H": "0009 7079 0575",
    "K": "0009 700579",
    "M": "0900458089",
    "house": "0409898404 044084 39365659",
    "heart": "~4904022043 ~4984826043",
    "star": "194079038319",
    "square": "0009999000",
    "triangle": "40098940",
    "spiral": "~445455462523427376582805023070",
    "arrow": "0595 629568",
}


def by_hand(strokes: list, seed: int) -> Strokes:
    """Returns strokes a little turned, stretched and shaken, in a square of side 1."""
    rng = np.random.default_rng(seed)
    angle, stretch = rng.uniform(-0.12, 0.12), rng.uniform(0.75, 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = [np.asarray(stroke) * [stretch, 1] @ turn for stroke in strokes]
    moved = [stroke + rng.normal(0, 0.012, stroke.shape) for stroke in moved]
    every = np.concatenate(moved)
    size = np.ptp(every, axis=0).max()
    return [((stroke - every.min(axis=0)) / size).tolist() for stroke in moved]


def scrawl(seed: int) -> Strokes:
    """Returns a scribble: sums of steps, as in tests/pictures.py."""
    rng = np.random.default_rng(seed)
    number = rng.integers(15, 30)
    steps = np.cumsum(rng.normal(0, 1, (number, 2)), axis=0)
    curve = make_interp_spline(np.arange(number), steps, k=3)(np.linspace(0, number - 1, 200))
    return [((curve - curve.min(axis=0)) / np.ptp(curve, axis=0).max()).tolist()]


def not_digits() -> dict[str, Strokes]:
    """Returns forty drawings: each figure twice, pairs of digits, and scribbles."""
    drawings = {f"{name} {i}": by_hand(strokes_of(figure), i) for name, figure in FIGURES.items() for i in (1, 2)}
    for left, right in ((7, 7), (1, 0), (4, 2), (3, 5), (6, 9), (2, 8), (1, 1)):
        second = [[(x + 1.1, y) for x, y in stroke] for stroke in DIGITS[right]]
        drawings[f"{left} and {right}"] = [[(x / 2.1, y / 2.1) for x, y in s] for s in DIGITS[left] + second]
    return drawings | {f"scribble {seed}": scrawl(seed) for seed in range(5)}
