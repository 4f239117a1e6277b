"""Trains what tells scribbles from digits: `python -m measure.train_scribble` writes helpers/own_digit/scribble.pt.

It learns from MNIST's training digits and scribbles of four kinds drawn here. Where a scribble begins is set
with 5,000 training digits that it has not seen. The scribbles of tests/pictures.py are of none of these kinds.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from numpy import ndarray
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy.interpolate import make_interp_spline
from torch import Tensor, nn

from helpers.data import load_mnist, random_warp
from helpers.files import write_whole
from helpers.own_digit.photo import VIEWS, center, scale_to_box
from helpers.own_digit.scribble import WEIGHTS, is_scribble, scribble_net

KEPT, EACH, STEPS, BATCH = 5000, 3000, 1200, 160  # digits kept aside, scribbles of a kind, steps, half of a batch
WRONG = 0.005  # of the digits kept aside, how many may look like a scribble


def jumps(rng: Generator) -> ndarray:
    """A smooth line through points anywhere."""
    number = rng.integers(7, 18)
    points = rng.uniform(0, 1, (number, 2)) * [1, rng.uniform(0.6, 1.7)]
    return make_interp_spline(np.arange(number), points)(np.linspace(0, number - 1, 400))


def zigzag(rng: Generator) -> ndarray:
    """To and fro, in any direction, with corners or without."""
    number, angle = rng.integers(7, 18), rng.uniform(0, np.pi)
    along = np.arange(number) * rng.uniform(0.1, 0.3) + rng.normal(0, 0.08, number)
    across = np.arange(number) % 2 * rng.uniform(0.5, 1.5, number) + rng.normal(0, 0.2, number)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    line = make_interp_spline(np.arange(number), np.stack([along, across], 1) @ turn, k=rng.choice([1, 3]))
    return line(np.linspace(0, number - 1, 400))


def waves(rng: Generator) -> ndarray:
    """A sum of sines along each axis."""
    number = rng.integers(4, 10)
    k, t = np.arange(1, number + 1), np.linspace(0, rng.uniform(0.7, 1), 400)[:, None, None]
    heights = rng.normal(0, 1, (2, number)) / k ** rng.uniform(0.2, 0.9)
    return (heights * np.sin(2 * np.pi * (k * t + rng.uniform(0, 1, (2, number))))).sum(2)


def wander(rng: Generator) -> ndarray:
    """A steady pace whose direction changes at random."""
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.2, 0.6), 200))
    return np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0)


KINDS = (jumps, zigzag, waves, wander)


def drawn(points: ndarray, width: int) -> Tensor:
    """Returns a line through points (N, 2) as MNIST would hold it, uint8 (28, 28); a width of 10 is about MNIST's."""
    points = 10 + 76 * (points - points.min(axis=0)) / np.ptp(points, axis=0).max()
    page = Image.new("L", (96, 96))
    ImageDraw.Draw(page).line([tuple(point) for point in points], fill=255, width=width, joint="curve")
    return center(scale_to_box(np.asarray(page.crop(page.getbbox())) / 255))


def scribbles(number: int, seed: int) -> Tensor:
    """Returns `number` scribbles of each kind, uint8 (4 * number, 28, 28)."""
    rng = np.random.default_rng(seed)
    return torch.stack([drawn(kind(rng), int(rng.integers(5, 14))) for kind in KINDS for _ in range(number)])


def _other_pens(images: Tensor) -> Tensor:
    """Makes the strokes of a third of the images (N, 1, H, W) wider, of a third thinner."""
    wider, thinner, same = images.chunk(3)
    wider = F.max_pool2d(F.pad(wider, (0, 1, 0, 1)), 2, 1)
    return torch.cat([wider, -F.max_pool2d(F.pad(-thinner, (0, 1, 0, 1)), 2, 1), same])


def train(digits: Tensor, others: Tensor, seed: int = 0) -> nn.Sequential:
    """Returns the network trained to tell digits (N, 28, 28) from others (M, 28, 28)."""
    torch.manual_seed(seed)
    model, random = scribble_net(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=STEPS)
    labels = torch.arange(2.0).repeat(BATCH)  # in turn, so that each pen draws as many of both
    for _ in range(STEPS):
        chosen = [split[torch.randint(len(split), (BATCH,), generator=random)] for split in (digits, others)]
        images = torch.stack(chosen, dim=1).view(-1, 1, 28, 28) / 255
        logits = model(_other_pens(random_warp(images, random, **VIEWS)))[:, 0]
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logits, labels).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def main() -> None:
    digits = load_mnist()[0].images
    model = train(digits[:-KEPT], scribbles(EACH, seed=0))
    with torch.inference_mode():
        scores = model(digits[-KEPT:, None] / 255)[:, 0]
        model[-1].bias -= scores.quantile(1 - WRONG)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    write_whole(WEIGHTS, buffer.getvalue())
    number = 250
    found = [is_scribble(image) for image in scribbles(number, seed=1)]
    for i, kind in enumerate(KINDS):
        print(f"{kind.__name__:8} {sum(found[i * number : (i + 1) * number])} of {number} look like a scribble")
    tests = load_mnist()[1].images
    print(f"MNIST's test digits: {sum(map(is_scribble, tests))} of {len(tests)}")


if __name__ == "__main__":
    main()
