"""Tells scribbles from digits, whatever network reads the digits: a network of ten digits has no class for them.

`python -m measure.train_scribble` trains the small network that does, and writes its weights to scribble.pt.
"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("scribble.pt")


def scribble_net() -> nn.Sequential:
    """Returns the untrained network: images (N, 1, 28, 28) from 0 to 1 -> (N, 1), above 0 for a scribble."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 24, 3), nn.BatchNorm2d(24), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(24 * 3 * 3, 1)),
    )


@cache
def _trained() -> nn.Sequential:
    model = scribble_net()
    model.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True))
    return model.eval()


@torch.inference_mode()
def is_scribble(image: Tensor) -> bool:
    """Tells whether a uint8 image (28, 28) looks like a scribble; 40 of the 10,000 test digits do."""
    return bool(_trained()(image.view(1, 1, 28, 28) / 255) > 0)
