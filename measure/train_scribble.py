"""Trains what tells digits from all else that one draws: `python -m measure.train_scribble` writes scribble.pt.

It learns from MNIST's training digits and from what is none: scribbles of four kinds, letters, signs and shapes, all
drawn here, and training digits that lie or are mirrored. Where a scribble begins is set with 5,000 training
digits that it has not seen. What the tests draw, tests/pictures.py and tests/drawings.py, is of none of these kinds.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy import ndarray
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy.interpolate import make_interp_spline
from torch import Tensor, nn

from helpers.data import Split, load_mnist, random_warp
from helpers.files import write_whole
from helpers.own_digit.photo import center, scale_to_box
from helpers.own_digit.scribble import VIEWS, WEIGHTS, is_scribble, scribble_net, views_of

KEPT, EACH, STEPS, BATCH = 5000, 3000, 2500, 160  # digits kept aside, others of a kind, steps, half of a batch
WRONG = 0.005  # of the digits kept aside, how many may look like none


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


# Letters, signs and shapes: strokes with spaces between them, two figures a point, x from the left and y from the top;
# "~" is a curve.
FIGURES = """0009 ~005082865909
000989 | 09007970 | 0009 ~006083640504 0626 | ~4011031749688571514030 5799 | 0009 ~0060726404 3479
0090 4049 | ~0006296970 7079 | 004980 | 0029456980 | 0089 8009 | 0044 8044 4449 | ~716131131648747071 7179
~70504245474939 2464 | 0009 ~0523446569 | 0309 ~0423344649 ~4463748689 | 0309 ~0533536569 | 0309 ~0533536364
~3037395968 0363 | ~0306194744 ~4447699683 | ~00235689 8009 | ~0012448796 ~904427181927
~40110418498874614030 0585 | ~0020427999 4509 | 1009 ~1015376674 7079 | 0181 2129 6169 | 4049 ~4313155777734343
4049 ~0003365480 | 8000440989 | ~2906024072846659 5989 | 0080 2464 0989 | 4049 0585 | 0585 | 0088 0880 4048
0383 0686 | 2029 6069 0383 0686 | ~8930204062263719395979 | ~02205072644547 4859 | 4085490440 | 408369190340
20608569290520 | 2060990920 | ~0603316386 0686 | ~50345679 ~5011164879 | ~4024163959766440
~0904215090 ~9086782909 0981 | 60154539 | 053990 | 2029 6069 2161 2464 2767 | 40077740 4749
40137340 43168643 4649 | ~05326498 ~05387490 9098 | ~40110418498874614030 3334 5354 ~26374665
~43243648655443 4041 4849 0515 8595 | ~44314044 ~44738444 ~44574844 ~44153544 | 0008787000 ~71939476
0383890903 ~23306063 | 0292980802 024792 | 0009 0081670504 | 0686692906 4046 407546 | 0696937361210306 2728 7778
~2003254320 3595 8588 | ~0502408285 0585 45495958 | ~1706133230607295977717 | 30331519695553503030 | 0009 0575 7579
0383 0309 8389 | ~2003254320 ~6346697663 | 0009 5059 | 0009 4049 8089 | 0906363363609060 | ~0224426284 ~0628466688
20000929 60808969 | ~4522040628456284868845 | 020802888208 | 0080098900 | 0009898000 4049 0585""".replace(
    "\n", "|"
).split("|")


def strokes_of(figure: str) -> list[ndarray]:
    """Returns the strokes, each (N, 2), in a square of side 1."""
    strokes = []
    for text in figure.split():
        points, n = np.array([*map(int, text.strip("~"))]).reshape(-1, 2) / 9, len(text) // 2
        if text[0] == "~":
            points = make_interp_spline(np.arange(n), points, k=min(3, n - 1))(np.linspace(0, n - 1, 6 * n))
        strokes.append(points)
    return strokes


def shaken(strokes: list[ndarray], rng: Generator) -> list[ndarray]:
    """Returns strokes as another hand may draw them: turned, stretched, their points moved."""
    angle, stretch = rng.uniform(-0.2, 0.2), rng.uniform(0.5, 1.2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moves = rng.uniform(0, 0.06) if len(np.concatenate(strokes)) < 20 else 0.015
    return [(stroke + rng.normal(0, moves, stroke.shape)) * [stretch, 1] @ turn for stroke in strokes]


def figure(rng: Generator) -> list[ndarray]:
    """A letter, a sign or a shape."""
    return shaken(strokes_of(rng.choice(FIGURES)), rng)


def polygon(rng: Generator) -> list[ndarray]:
    """A closed line with corners."""
    number = rng.integers(5, 9)
    angles = 2 * np.pi * (np.arange(number) + rng.uniform(0, 0.8, number)) / number
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.6, 1, (number, 1))
    return [np.concatenate([points, points[:1]])]


def bars(rng: Generator) -> list[ndarray]:
    """Straight lines anywhere, some of them joined."""
    lines = [rng.uniform(0, 1, (rng.integers(2, 5), 2)) for _ in range(rng.integers(3, 5))]
    for line, before in zip(lines[1:], lines):
        if rng.random() < 0.6:
            line[0] = before[-1]
    return lines


def once(scribble: Callable[[Generator], ndarray]) -> Callable[[Generator], list[ndarray]]:
    """A scribble is a single stroke."""
    return lambda rng: [scribble(rng)]


KINDS = {kind.__name__: once(kind) for kind in (jumps, zigzag, waves, wander)}
KINDS |= {"figure": figure, "polygon": polygon, "bars": bars}


def drawn(strokes: list[ndarray], width: int) -> Tensor:
    """Returns strokes, each (N, 2), as MNIST would hold them, uint8 (28, 28); a width of 10 is about MNIST's."""
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.ptp(points, axis=0).max()
    page = Image.new("L", (96, 96))
    for stroke in strokes:
        places = [tuple(place) for place in 10 + 76 * (stroke - low) / size]
        ImageDraw.Draw(page).line(places, fill=255, width=width, joint="curve")
    return center(scale_to_box(np.asarray(page.crop(page.getbbox())) / 255))


def others(number: int, seed: int) -> Tensor:
    """Returns `number` drawings of each kind, uint8 (len(KINDS) * number, 28, 28)."""
    rng = np.random.default_rng(seed)
    return torch.stack([drawn(kind(rng), int(rng.integers(5, 14))) for kind in KINDS.values() for _ in range(number)])


def spoiled(digits: Split, number: int, seed: int) -> Tensor:
    """Returns digits that lie or are mirrored, uint8 (2 * number, 28, 28)."""
    rng = np.random.default_rng(seed)

    def some(*labels: int) -> Tensor:
        return digits.images[rng.choice(np.flatnonzero(np.isin(digits.labels, labels)), number)]

    lying, mirrored = some(2, 3, 4, 5, 7).rot90(1, (1, 2)), some(3, 4, 6, 7, 9).flip(2)  # 2 in a mirror is a 5
    return torch.cat([lying, mirrored])


def _other_pens(images: Tensor) -> Tensor:
    """Makes the strokes of a third of the images (N, 1, H, W) wider, of a third thinner."""
    wider, thinner, same = images.chunk(3)
    wider = F.max_pool2d(F.pad(wider, (0, 1, 0, 1)), 2, 1)
    return torch.cat([wider, -F.max_pool2d(F.pad(-thinner, (0, 1, 0, 1)), 2, 1), same])


def train(digits: Tensor, rest: Tensor, seed: int = 0) -> nn.Sequential:
    """Returns the network trained to tell digits (N, 28, 28) from all else (M, 28, 28)."""
    torch.manual_seed(seed)
    model, random = scribble_net(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=STEPS)
    labels = torch.arange(2.0).repeat(BATCH)  # in turn, so that each pen draws as many of both
    for _ in range(STEPS):
        chosen = [split[torch.randint(len(split), (BATCH,), generator=random)] for split in (digits, rest)]
        images = torch.stack(chosen, dim=1).view(-1, 1, 28, 28) / 255
        logits = model(_other_pens(random_warp(images, random, **VIEWS)))[:, 0]
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logits, labels).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def main() -> None:
    known, kept = (Split(*(part[places] for part in load_mnist()[0])) for places in (slice(-KEPT), slice(-KEPT, None)))
    model = train(known.images, torch.cat([others(EACH, seed=0), spoiled(known, EACH, seed=0)]))
    with torch.inference_mode():
        scores = torch.stack([model(views_of(image)).mean() for image in kept.images])
        model[-1].bias -= scores.quantile(1 - WRONG)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    write_whole(WEIGHTS, buffer.getvalue())
    number, fresh = 250, torch.cat([others(250, seed=1), spoiled(kept, 250, seed=1)])
    for kind, images in zip([*KINDS, "lying", "mirrored"], fresh.split(number)):
        print(f"{kind:8} {sum(map(is_scribble, images))} of {number} look like none")
    tests = load_mnist()[1].images
    print(f"MNIST's test digits: {sum(map(is_scribble, tests))} of {len(tests)}")


if __name__ == "__main__":
    main()
