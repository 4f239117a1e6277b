"""Tells scribbles, letters and shapes from digits: a network that reads ten digits has no class for them.

`python -m measure.train_scribble` trains the small network that does, and writes its weights to scribble.pt.
"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers.data import random_warp

WEIGHTS = Path(__file__).with_name("scribble.pt")
VIEWS = {"degrees": 10, "shift": 1.5, "scale": 0.1, "shear": 8}  # of `random_warp`


def scribble_net() -> nn.Sequential:
    """Returns the untrained network: images (N, 1, 28, 28) from 0 to 1 -> (N, 1), above 0 for what is no digit."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 24, 3), nn.BatchNorm2d(24), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(24 * 3 * 3, 1)),
    )


@cache
def trained_scribble_net() -> nn.Sequential:
    """Returns the network with its weights."""
    model = scribble_net()
    model.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    return model.eval()


def views_of(image: Tensor, number: int = 32) -> Tensor:
    """Returns a uint8 image (28, 28) and warped views of it, as floats from 0 to 1: (number, 1, 28, 28)."""
    views = image.float().div(255).repeat(number, 1, 1, 1)
    views[1:] = random_warp(views[1:], torch.Generator(image.device).manual_seed(0), **VIEWS)
    return views


@torch.inference_mode()
def is_scribble(image: Tensor) -> bool:
    """Tells whether a uint8 image (28, 28) looks like no digit in the mean of its views; 49 of 10,000 tests do."""
    return bool(trained_scribble_net()(views_of(image)).mean() > 0)
