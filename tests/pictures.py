"""Pictures such as people take of their digits, drawn from MNIST's: `python -m tests.pictures` scores them.

One function for each kind. `damaged` ones are to be read, `doubtful` ones are to be called so.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import make_interp_spline
from skimage.morphology import skeletonize

from helpers.data import load_mnist
from helpers.own_digit.photo import answer, is_doubtful, predict_photo, read_photo
from measure.weights import trained


def mask(digit: np.ndarray, size: int) -> np.ndarray:
    """Returns the digit's ink as booleans, cut out and enlarged until its longer side has that size."""
    rows, columns = np.flatnonzero(digit.max(1) > 60), np.flatnonzero(digit.max(0) > 60)
    part = np.pad(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    height, width = (round(size * side / max(part.shape)) for side in part.shape)
    large = Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC)
    return ndimage.gaussian_filter(np.asarray(large, float), size / 60) > 110


def line(digit: np.ndarray, height: int, width: float) -> np.ndarray:
    """Returns the digit drawn by a pen of that width, from 0 to 1."""
    bones = np.pad(skeletonize(mask(digit, height)), int(width) + 1)
    if width <= 1:
        return bones.astype(float)
    return np.clip(width / 2 + 0.5 - ndimage.distance_transform_edt(~bones), 0, 1)


def place(ink: np.ndarray, shape: tuple[int, int], rng: Generator, margin: float = 0.08) -> np.ndarray:
    """Returns the ink somewhere on a sheet of that shape."""
    sheet = np.zeros(shape)
    low = [int(margin * side) for side in shape]
    y, x = (rng.integers(a, max(a + 1, side - a - part)) for a, side, part in zip(low, shape, ink.shape))
    sheet[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
    return sheet


def written(digit, rng, side=400, height=None, width=None, margin=0.08) -> np.ndarray:
    """Returns the ink, 0 to 1, of a digit written with a pen on a sheet."""
    height = height or int(rng.uniform(0.35, 0.6) * side)
    width = width or height * rng.uniform(0.05, 0.1)
    return place(line(digit, height, width), (side, side), rng, margin)


def photo(ink, light, rng, paper=(225, 222, 212), pen=(40, 40, 60), noise=2.5) -> np.ndarray:
    """Returns a color photo: ink on paper under that light, a factor for each pixel."""
    ink = ndimage.gaussian_filter(ink, 0.7)[..., None]
    color = (np.array(paper) * (1 - ink) + np.array(pen) * ink) * np.asarray(light)[..., None]
    return (color + rng.normal(0, noise, color.shape)).clip(0, 255).astype(np.uint8)


def _grid(side):
    return np.mgrid[0:side, 0:side] / side - 0.5


def _ramp(side, rng, width):
    """A step over the sheet in any direction, from 0 to 1."""
    y, x = _grid(side)
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2)
    return 1 / (1 + np.exp(-(x * np.cos(angle) + y * np.sin(angle) - shift) / width))


def hair_line(digit, rng):
    side = int(rng.integers(110, 260))
    return (255 * written(digit, rng, side, int(0.75 * side), 1, 0.05)).astype(np.uint8)


def thin_pen(digit, rng):
    ink = written(digit, rng, 500, int(rng.uniform(150, 300)), rng.uniform(2, 3.5))
    return photo(ink, 1 - 0.15 * _ramp(500, rng, 0.2), rng, pen=(50, 60, 170))


def pencil(digit, rng):
    ink = written(digit, rng) * ndimage.gaussian_filter(rng.uniform(0, 2, (400, 400)), 1)
    return photo(ink, np.full((400, 400), 0.8), rng, pen=(165, 165, 165), noise=2.5)


def chalk(digit, rng):
    ink = written(digit, rng, 400, None, 14) * (ndimage.gaussian_filter(rng.normal(0, 1, (400, 400)), 1.5) > -0.15)
    smear = 12 * ndimage.gaussian_filter(rng.normal(0, 1, (400, 400)), 25)
    return photo(ink, 1 - 0.4 * _ramp(400, rng, 0.2) + smear, rng, paper=(45, 75, 60), pen=(205, 210, 205))


def shadow(digit, rng):
    return photo(written(digit, rng), 1 - rng.uniform(0.4, 0.6) * _ramp(400, rng, rng.uniform(0.004, 0.02)), rng)


def gradient(digit, rng):
    return photo(written(digit, rng), 0.25 + 0.75 * _ramp(400, rng, 0.2), rng)


def vignette(digit, rng):
    y, x = _grid(400)
    return photo(written(digit, rng, margin=0.2), 1 - 1.4 * (x**2 + y**2), rng)


def flash(digit, rng):
    y, x = _grid(400)
    a, b = rng.uniform(-0.3, 0.3, 2)
    return photo(written(digit, rng), 0.45 + 0.8 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.04), rng)


def _rules(side, rng, vertical):
    """Lines of a pad of paper, slightly turned, from 0 to 1."""
    y, x = (_grid(side)) * side
    angle, gap = rng.uniform(-0.05, 0.05), side / rng.uniform(7, 14)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    lines = np.abs((along + rng.uniform(0, gap)) % gap - gap / 2)
    if vertical:
        lines = np.minimum(lines, np.abs((across + rng.uniform(0, gap)) % gap - gap / 2))
    return np.clip(1.5 - lines, 0, 1)


def lined_paper(digit, rng, vertical=False):
    side = 500
    paper = np.array((228, 226, 215)) - _rules(side, rng, vertical)[..., None] * np.array((95, 70, 20))
    ink = written(digit, rng, side, int(rng.uniform(0.3, 0.6) * side), rng.uniform(6, 14))
    return photo(ink, 1 - 0.3 * _ramp(side, rng, 0.2), rng, paper=paper)


def squared_paper(digit, rng):
    return lined_paper(digit, rng, vertical=True)


def sheet_edge(digit, rng):
    y, x = _grid(400)
    side, angle = rng.integers(4), rng.uniform(-0.08, 0.08)
    edge = [x, y, -x, -y][side] + angle * [y, x, y, x][side] < -0.4
    wood = np.array((120, 80, 50)) + 15 * ndimage.gaussian_filter(rng.normal(0, 1, (400, 400)), (1, 30))[..., None]
    paper = np.where(edge[..., None], wood, np.array((225, 222, 212)))
    return photo(written(digit, rng, margin=0.17), 1 - 0.2 * _ramp(400, rng, 0.2), rng, paper=paper)


def card(digit, rng):
    side = 600
    y, x = _grid(side)
    angle = rng.uniform(-0.3, 0.3)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (np.abs(u) < 0.3) & (np.abs(v) < 0.3)
    wood = np.array((130, 90, 60)) + 60 * ndimage.gaussian_filter(rng.normal(0, 1, (side, side)), (1, 30))[..., None]
    paper = np.where(inside[..., None], np.array((235, 233, 225)), wood)
    ink = np.zeros((side, side))
    ink[180:420, 180:420] = written(digit, rng, 240, int(rng.uniform(110, 160)), rng.uniform(6, 12), 0.12)
    return photo(ink, 1 - 0.2 * _ramp(side, rng, 0.2), rng, paper=paper)


def caption_bar(digit, rng):
    picture = Image.fromarray((255 * (1 - written(digit, rng, 300, margin=0.1))).astype(np.uint8))
    bar, top = rng.integers(28, 45), rng.random() < 0.5
    page = Image.new("L", (300, 300 + int(bar)), 60)
    page.paste(picture, (0, int(bar) if top else 0))
    draw = ImageDraw.Draw(page)
    draw.text((12, 8 if top else 308), "drawing.png   100 %   Save", fill=230)
    return np.asarray(page)


def axes(digit, rng):
    light = rng.random() < 0.5
    page = Image.new("L", (480, 400), 255)
    draw = ImageDraw.Draw(page)
    image = Image.fromarray(digit if light else 255 - digit).resize((280, 280), Image.Resampling.NEAREST)
    page.paste(image, (100, 50))
    draw.rectangle((99, 49, 380, 330), outline=0)
    for i in range(6):
        draw.line((100 + 50 * i, 330, 100 + 50 * i, 335), fill=0)
        draw.text((95 + 50 * i, 338), str(5 * i), fill=0)
        draw.line((94, 50 + 50 * i, 99, 50 + 50 * i), fill=0)
        draw.text((78, 44 + 50 * i), str(5 * i), fill=0)
    draw.text((200, 30), f"label {rng.integers(10)}", fill=0)
    return np.asarray(page)


def frame(digit, rng):
    ink = written(digit, rng, 300, margin=0.15)
    gap, width = rng.integers(6, 20), rng.integers(2, 6)
    inner = ink[gap : 300 - gap, gap : 300 - gap].copy()
    ink[gap : 300 - gap, gap : 300 - gap] = 1
    ink[gap + width : 300 - gap - width, gap + width : 300 - gap - width] = inner[width:-width, width:-width]
    return (255 * (1 - ink)).astype(np.uint8)


def specks(digit, rng):
    ink = written(digit, rng)
    for _ in range(12):
        y, x, r = *rng.integers(8, 392, 2), rng.integers(2, 5)
        ink[y - r : y + r, x - r : x + r] = np.maximum(ink[y - r : y + r, x - r : x + r], 0.9)
    return photo(ink, np.ones((400, 400)), rng)


def at_border(digit, rng):
    """Cut so tightly that the ink touches two or more sides."""
    height = int(rng.integers(150, 300))
    ink = line(digit, height, height * rng.uniform(0.06, 0.1))
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    ink = ink[rows[0] + 2 : rows[-1] - 1, columns[0] + 2 : columns[-1] - 1]
    if rng.random() < 0.5:
        ink = np.pad(ink, ((0, 0), (60, 60)))
    return photo(ink, np.full(ink.shape, 0.9), rng)


def white_on_transparent(digit, rng):
    ink = (255 * written(digit, rng)).astype(np.uint8)
    return Image.fromarray(np.dstack([np.full((400, 400, 3), 255, np.uint8), ink]))


def sixteen_bits(digit, rng):
    ink = written(digit, rng)
    return Image.fromarray((60000 - 45000 * ink + rng.normal(0, 300, ink.shape)).astype(np.uint16))


def dark_panel(digit, rng):
    page = np.full((400, 500), 255, np.uint8)
    y, x = rng.integers(20, 100, 2)
    page[y : y + 260, x : x + 260] = (20 + 220 * written(digit, rng, 260, margin=0.1)).astype(np.uint8)
    return page


def colored_pen(digit, rng):
    """Red on pale blue and the like: colors of nearly the same gray."""
    colors = [
        ((150, 190, 215), (240, 150, 150)),
        ((235, 215, 120), (255, 205, 255)),
        ((225, 225, 225), (255, 215, 225)),
    ]
    paper, pen = colors[rng.integers(3)]
    return photo(written(digit, rng), np.ones((400, 400)), rng, paper, pen)


def far_away(digit, rng):
    return photo(written(digit, rng, 900, int(rng.uniform(60, 90)), rng.uniform(3, 7)), np.ones((900, 900)), rng)


def small_scan(digit, rng):
    """Strokes so thick and near to each other that they look like a card: the most rectangular of 15 drawings."""
    drawings = []
    for _ in range(15):
        side, pressure = int(rng.integers(100, 200)), rng.uniform(0, 0.5)
        height, size = int(rng.uniform(0.4, 0.68) * side), side // 8
        ink = line(digit, height, height * rng.uniform(0.08, 0.16))
        wide = Image.fromarray(ink).resize((int(ink.shape[1] * rng.uniform(0.8, 1.4)), ink.shape[0]))
        ink = place(np.asarray(wide), (side, side * 3 // 2), rng, 0.05)
        filled = ndimage.binary_closing(ink > 0.5, np.ones((size, size)))
        block = ndimage.binary_opening(filled, np.ones((size, size)))
        rows, columns = (np.flatnonzero(block.any(axis)) for axis in (1, 0))
        is_large = min(len(rows), len(columns)) > side // 4
        uneven = ndimage.gaussian_filter(rng.uniform(-1, 1, ink.shape), side / 40) * side / 40
        ink = ink * (1 - pressure * (0.5 + uneven).clip(0, 1))
        drawings.append((is_large and block.sum() / (len(rows) * len(columns)), ink))
    ink = max(drawings, key=lambda pair: pair[0])[1]
    return photo(ink, np.ones(ink.shape), rng, paper=(252, 252, 252), pen=(50, 50, 50), noise=1)


def pen_lifted_at_border(digit, rng):
    """Two strokes with a gap between them, and one of them ends at the border."""
    side = int(rng.integers(60, 400))
    height = int(rng.uniform(0.5, 0.8) * side)
    ink = line(digit, height, height * rng.uniform(0.06, 0.12))
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]] - np.array(ink.shape)[:, None, None] * rng.uniform(0.4, 0.6)
    angle = rng.uniform(0, np.pi)
    ink[np.abs(y * np.cos(angle) + x * np.sin(angle)) < max(1, 0.025 * height)] = 0
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    turns = rng.integers(4)
    ink = np.rot90(ink, turns)
    before = int(rng.integers(0.1 * side, 0.3 * side))
    ink = np.pad(ink, ((0, int(0.2 * side)), (before, max(int(0.1 * side), side - before - ink.shape[1]))))
    ink = np.rot90(ink, -turns)
    return photo(ink, np.full(ink.shape, 0.95), rng)


def tight_crop(digit, rng):
    """Such as software cuts out of a form: the digit fills it, light or dark."""
    height = int(rng.integers(20, 60))
    ink = digit[np.ix_(digit.max(1) > 60, digit.max(0) > 60)]
    size = (max(8, round(height * ink.shape[1] / ink.shape[0])), height)
    ink = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC), float) / 255
    ink = np.pad(ink, rng.integers(0, 2, (2, 2)))
    return (255 * (ink if rng.random() < 0.5 else 1 - ink)).astype(np.uint8)


def cell_of_a_table(digit, rng):
    """Lines of the table, thin or as thick as the pen, run along one edge or more."""
    side = int(rng.integers(28, 200))
    height = int(rng.uniform(0.5, 0.65) * side)
    width = height * rng.uniform(0.07, 0.12)
    ink = place(line(digit, height, max(1.5, width)), (side, side), rng, 0.13)
    thickness, gap = max(1, round(width * rng.uniform(0.3, 1))), int(rng.integers(0, max(1, 0.04 * side) + 1))
    for turns in rng.permutation(4)[: rng.integers(1, 4)]:
        np.rot90(ink, turns)[gap : gap + thickness] = 0.9
    return photo(ink, np.ones(ink.shape), rng, noise=1)


def ring_around(digit, rng):
    """Drawn by hand or printed: an ellipse, with the digit inside."""
    ink = line(digit, 150, rng.uniform(8, 16))
    sheet = Image.new("L", (400, 400))
    x, y = 0.5 * np.hypot(*ink.shape) * rng.uniform(1.15, 1.4, 2)
    middle = rng.uniform(180, 220)
    box = (middle - x, middle - y, middle + x, middle + y)
    ImageDraw.Draw(sheet).ellipse(box, outline=255, width=int(rng.integers(4, 14)))
    ring = np.asarray(sheet, float) / 255
    top, left = (round(middle - side / 2) for side in ink.shape)
    ring[top : top + ink.shape[0], left : left + ink.shape[1]] += ink
    return photo(ring.clip(0, 1), 1 - 0.3 * _ramp(400, rng, 0.3), rng)


def bars_beside(digit, rng):
    """A photo as a screen or a video shows it: with bars of one color along two sides."""
    paper = photo(written(digit, rng, 300), 1 - 0.3 * _ramp(300, rng, 0.3), rng)
    bar, color = int(rng.integers(40, 260)), int(rng.integers(0, 60))
    sides = ((bar, bar), (0, 0), (0, 0))
    return np.pad(paper, np.roll(sides, rng.integers(2), axis=0), constant_values=color)


def dithered(digit, rng):
    """Of black and white dots."""
    return Image.fromarray(photo(written(digit, rng, 320), np.full((320, 320), rng.uniform(0.8, 1)), rng)).convert("1")


def empty(digit, rng):
    y, x = _grid(400)
    lights = [1 - 0.6 * _ramp(400, rng, 0.2), 1 - 0.5 * _ramp(400, rng, 0.01), np.ones((400, 400))]
    light = [*lights, 0.45 + 0.8 * np.exp(-(x**2 + y**2) / 0.04)][rng.integers(4)]
    return photo(np.zeros((400, 400)), light, rng, noise=rng.uniform(0, 6))


def two_digits(digit, rng):
    ink = np.zeros((400, 400))
    x, y, size = rng.integers(10, 40), rng.integers(60, 160), rng.integers(120, 170)
    for image in (digit, load_mnist()[1].images[rng.integers(10000)].numpy()):
        part = line(image, size, 10)[:, : 400 - x]
        ink[y : y + part.shape[0], x : x + part.shape[1]] += part
        x += part.shape[1] + rng.integers(8, 60)
    return photo(ink.clip(0, 1), np.ones((400, 400)), rng)


def cut_off(digit, rng):
    """A fifth of it, or a third, lies beyond the border."""
    ink = line(digit, 250, 18)
    rows, columns = np.flatnonzero(ink.max(1) > 0.5), np.flatnonzero(ink.max(0) > 0.5)
    turns, ink = rng.integers(4), ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink = np.rot90(ink, turns)
    ink = np.pad(ink[int(ink.shape[0] * rng.uniform(0.15, 0.35)) :], ((0, 80), (80, 80)))
    ink = np.rot90(ink, -turns)
    return photo(ink, np.full(ink.shape, 0.9), rng)


def scribble(digit, rng):
    number = rng.integers(15, 35)
    points = np.cumsum(rng.normal(0, 60, (number, 2)), axis=0)
    points = (points - points.min(0)) / np.ptp(points, axis=0) * rng.uniform(150, 250, 2) + 70
    curve = make_interp_spline(np.arange(number), points, k=3)(np.linspace(0, number - 1, 900)).clip(5, 395)
    page = Image.new("L", (400, 400))
    ImageDraw.Draw(page).line([tuple(point) for point in curve], fill=255, width=10, joint="curve")
    return photo(np.asarray(page) / 255, np.ones((400, 400)), rng)


DAMAGED = [
    hair_line,
    thin_pen,
    pencil,
    chalk,
    colored_pen,
    shadow,
    gradient,
    vignette,
    flash,
    lined_paper,
    squared_paper,
    sheet_edge,
    card,
    dark_panel,
    caption_bar,
    axes,
    frame,
    specks,
    at_border,
    far_away,
    white_on_transparent,
    sixteen_bits,
    small_scan,
    pen_lifted_at_border,
    tight_crop,
    cell_of_a_table,
    ring_around,
    bars_beside,
    dithered,
]
DOUBTFUL = (empty, two_digits, cut_off, scribble)


def pictures(kind: Callable, number: int, first: int = 0) -> list:
    """Returns pictures of a kind, drawn from that many test digits."""
    rng = np.random.default_rng(7)
    return [kind(digit.numpy(), rng) for digit in load_mnist()[1].images[first : first + number]]


def read(picture, network) -> tuple[int | None, str]:
    """Returns the digit that is read, and what is said of it if that is doubtful."""
    try:
        image, notes = read_photo(picture)
    except ValueError as error:
        return None, str(error)
    probabilities = predict_photo(network[0], image, *network[1:])
    doubt = answer(probabilities, notes) if is_doubtful(probabilities, notes) else ""
    return int(probabilities.argmax()), doubt


def main() -> None:
    network, labels, number = trained("lesson"), load_mnist()[1].labels, int(sys.argv[1]) if sys.argv[1:] else 100
    print(f"{'of ' + str(number):22} read correctly, of them flagged")
    for kind in DAMAGED:
        answers = [read(picture, network) for picture in pictures(kind, number)]
        right = [doubt for (digit, doubt), label in zip(answers, labels.tolist()) if digit == label]
        print(f"{kind.__name__:22} {len(right):14} {sum(map(bool, right)):16}", flush=True)
    for kind in DOUBTFUL:
        doubts = sum(bool(read(picture, network)[1]) for picture in pictures(kind, number))
        print(f"{kind.__name__:22} {'':14} {doubts:16}", flush=True)


if __name__ == "__main__":
    main()
