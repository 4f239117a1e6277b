"""A picture of a handwritten digit, made into an image like MNIST's."""

import os
from collections.abc import Iterator, Sequence
from errno import ENOENT
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage
from skimage.measure import euler_number, label, regionprops
from torch import Tensor, nn

from helpers.own_digit.ink import find_ink, find_sheet, find_strokes, is_foreign, size, stroke_width, touches
from helpers.own_digit.network_data import network_of
from helpers.own_digit.scribble import VIEWS, is_scribble, trained_scribble_net, views_of

BOX, FIELD, CENTER = 20, 28, 14  # pixels: MNIST's box for the digit, its image, and where its mass has its center
SIDE = 400  # pixels: larger pictures are made smaller first
LARGEST = 2**28  # pixels of a file: its bytes may claim any number
ROUNDING = 0.001  # by which floats may leave the range from 0 to 1
WHITES = (1, 255, 1023, 4095, 16383, 65535)  # of whole numbers: 16 bits often hold 10, 12 or 14
ORIENTATION = 0x0112  # of EXIF
PEN = 1.75  # pixels of 20: thinner strokes are made as wide as this; MNIST's are 2 to 4 wide
LEAST = 0.025  # of the picture's longer side: what is smaller is a speck
SURE = 0.8  # a probability below this is no answer
TURN = 20  # degrees by which a camera may have been turned
OTHER, SHARE = 0.7, 0.4  # how sure the picture turned back must be of another digit, and what it counts then
DARK, MOST, EULER = 100, 240, -2  # what counts as ink; more ink, or parts less holes below this, are no digit
TWO, MARK = "There is more than one digit", "There is a mark beside the digit"
STROKES, NONE = "There are more strokes than a digit has.", "It does not look like a digit."

Picture = str | os.PathLike | bytes | BinaryIO | Image.Image | ndarray | Tensor


class Reading(NamedTuple):
    """A digit as MNIST would hold it, uint8 (28, 28), and a sentence for each thing that makes it doubtful."""

    image: Tensor
    notes: list[str]


def read_digit(picture: Picture) -> Tensor:
    """Returns the digit of a picture as MNIST would hold it.

    MNIST's own way (http://yann.lecun.com/exdb/mnist/): the digit, light on dark, is scaled until its
    longer side has 20 pixels, with anti-aliasing, and moved until its center of mass is the center of
    28 x 28 pixels.

    Args:
        picture: ink on paper, dark on light or light on dark: the path of a file, its bytes, an open file, a
            PIL image, or an array or tensor (H, W), (H, W, 3 or 4) or (3 or 4, H, W) of whole numbers, or of floats
            from 0 to 1.

    Returns:
        uint8 (28, 28), the ink light.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file or array is no picture, or there is no ink on it.
    """
    return read_photo(picture).image


def read_photo(picture: Picture) -> Reading:
    """Returns the digit of a picture as `read_digit` does, and what makes it doubtful."""
    color = find_sheet(to_color(picture))
    ink = find_ink(color)
    digit, notes = find_digit(ink, find_strokes(ink))
    image = center(scale_to_box(cut_out(ink, digit)))
    return Reading(image, notes + doubts(image))


def to_color(picture: Picture) -> ndarray:
    """Returns the picture as floats from 0 to 255 (H, W, 3), its longer side at most 400 pixels.

    What is transparent becomes white, or black if the ink is light.
    """
    array = np.asarray(_shrunk(picture), dtype=float)
    color, opaque = array[..., :3], array[..., 3:] / 255
    if opaque.sum() == 0:
        raise ValueError("the picture is transparent all over: there is no ink on it")
    is_light = (color * opaque).sum() > 3 * 128 * opaque.sum()
    color = color * opaque + (0 if is_light else 255) * (1 - opaque)
    height, width = color.shape[:2]
    if (factor := SIDE / max(height, width)) < 1:
        smaller = (max(1, round(factor * width)), max(1, round(factor * height)))
        picture = Image.fromarray(np.rint(color).astype(np.uint8)).resize(smaller, Image.Resampling.BOX)
        color = np.asarray(picture, dtype=float)
    if min(color.shape[:2]) < 3:
        size = " x ".join(map(str, color.shape[1::-1]))
        raise ValueError(f"no digit found: the picture is too narrow for one, {size} pixels when it has {SIDE} at most")
    # Sensors are noisy; small pictures are drawn or made smaller, and have no pixel to lose.
    blur = 0 if max(color.shape[:2]) < 100 else 1.5 if _is_dithered(color) else 0.7
    return ndimage.gaussian_filter(color, (blur, blur, 0)) if blur else color


def _is_dithered(color: ndarray) -> bool:
    """Tells whether a picture has two values alone, and grays made of dots of them."""
    dots = color[..., 0] > color[..., 0].mean()
    inner = dots[1:-1, 1:-1]
    alone = [inner != beside for beside in (dots[:-2, 1:-1], dots[2:, 1:-1], dots[1:-1, :-2], dots[1:-1, 2:])]
    return len(np.unique(color)) == 2 and np.all(alone, axis=0).mean() > 0.02


def _shrunk(picture: Picture) -> Image.Image:
    """Returns the picture in RGBA, right side up, its longer side below 1,600 pixels.

    It is converted in bands, so that a copy of the whole in RGBA or in floats is never in memory.
    """
    if isinstance(picture, (str, os.PathLike, bytes, bytearray)) or hasattr(picture, "read"):
        picture = _opened(*_content(picture))
    is_image = isinstance(picture, Image.Image)
    if is_image:
        try:
            picture.load()
            picture = picture.convert("LA") if picture.mode == "La" else picture
        except (OSError, SyntaxError, ValueError) as error:  # it was opened, and not read yet
            raise ValueError(f"the picture cannot be read, it may be closed, or its end missing: {error}") from error
    else:
        picture = _checked(picture)
    width, height = picture.size if is_image else picture.shape[1::-1]
    if not width or not height:
        raise ValueError(f"the picture has {width} x {height} pixels")
    factor = max(1, max(height, width) // (2 * SIDE))
    tops = range(0, height, 32 * factor)

    def band(top: int) -> Image.Image | ndarray:
        bottom = min(height, top + 32 * factor)
        return picture.crop((0, top, width, bottom)) if is_image else picture[top:bottom]

    if not is_image or picture.mode[0] in "IF":  # 16 bits or floats, which PIL's convert would clip
        white = _white((np.asarray(band(top)) for top in tops), is_image)
        bands = (Image.fromarray(np.rint(np.multiply(band(top), 255 / white)).astype(np.uint8)) for top in tops)
    else:
        bands = map(band, tops)
    small = Image.fromarray(np.concatenate([np.asarray(each.convert("RGBA").reduce(factor)) for each in bands]))
    if is_image:
        small.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return ImageOps.exif_transpose(small)  # photos say in EXIF which side is up


def _white(bands: Iterator[ndarray], is_image: bool) -> int:
    """Returns the value of white: the least of the usual ones that holds all values.

    Raises:
        ValueError: values are negative, too large, or not finite.
    """
    found = ((band.min(), band.max(), band.dtype, np.array_equal(band, np.rint(band))) for band in bands)
    lows, highs, kinds, are_whole = zip(*found)
    low, high = np.min(lows), np.max(highs)
    whites = WHITES if is_image or all(are_whole) else (1,)
    if low >= -ROUNDING and high <= whites[-1] + ROUNDING:  # neither holds for NaN
        return next(white for white in whites if high <= white + ROUNDING)
    expected = "values from 0 to 1, or whole numbers from 0 to 65535"
    raise ValueError(f"a picture has {expected}; these are {kinds[0]} from {low:.7g} to {high:.7g}: scale them")


def _checked(picture: Sequence | ndarray | Tensor) -> ndarray:
    """Returns a picture as an array; channels may come first, and axes of one picture or one channel go."""
    kinds = "a picture is the path or the bytes of a file, a PIL image, or an array of numbers"
    try:
        if isinstance(picture, Tensor):
            picture = picture.detach().cpu()
            picture = picture.float() if picture.is_floating_point() else picture
        array = np.asarray(picture)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{kinds}, one alone; got {type(picture).__name__} ({error})"[:300]) from error
    if array.dtype.kind not in "buif":
        raise ValueError(f"{kinds}, got {type(picture).__name__} of {array.dtype}")
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[0] in (3, 4) and array.shape[2] not in (3, 4):
        array = np.moveaxis(array, 0, 2)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise ValueError(f"a picture has the shape (H, W), (H, W, 3) or (H, W, 4), got {array.shape}")
    return array


def _content(source: str | os.PathLike | bytes | BinaryIO) -> tuple[bytes, str]:
    """Returns what a file holds, and what to call it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder, an address on the web, or no path at all.
    """
    if isinstance(source, (bytes, bytearray)):
        return bytes(source), "the picture"
    if hasattr(source, "read"):
        try:
            if hasattr(source, "seek") and getattr(source, "seekable", bool)():
                source.seek(0)  # whoever has just written it stands at its end
            return bytes(source.read()), "the picture"
        except (OSError, TypeError, ValueError) as error:  # closed, write-only, or text
            raise ValueError(f"the open file cannot be read, open it with 'rb': {error}") from error
    name = os.path.expanduser(os.fspath(source))
    if not name:
        raise ValueError("the path of the picture is empty")
    if "://" in name or name.startswith("data:"):
        raise ValueError(f"{name[:60]} is no file but an address: download the picture, and give the file's path")
    if os.path.isdir(name):
        raise ValueError(f"{name} is a folder: give the path of one picture in it")
    try:
        return Path(name).read_bytes(), name
    except FileNotFoundError:
        raise FileNotFoundError(ENOENT, f"there is no such file, seen from {os.getcwd()}", name) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{name[:60]} cannot be opened, give the path of a file that can: {error}"[:300]) from error


def _opened(content: bytes, name: str) -> Image.Image:
    """Returns the picture that a file holds; a large JPEG comes smaller already, by its DCT."""
    if content[4:11] in (b"ftyphei", b"ftyphev", b"ftypmif", b"ftypmsf"):
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise ValueError(f"{name} is HEIC: pip install pillow-heif, or save the photo as JPEG") from None
        register_heif_opener()
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # phones take 200 megapixels, PIL refuses 179
    try:
        picture = Image.open(BytesIO(content))
        width, height = picture.size
        if width * height > LARGEST:
            raise MemoryError
        factor = max(1, max(width, height) // (2 * SIDE))
        picture.draft(None, (width // factor, height // factor))
        picture.load()
    except MemoryError:
        raise ValueError(f"{name} has {width} x {height} pixels, too many for the memory: make it smaller") from None
    except UnidentifiedImageError as error:
        what = "is no picture that PIL can read" if content else "is empty"
        raise ValueError(f"{name} {what}: give it a JPEG or PNG file") from error
    except (OSError, SyntaxError, ValueError) as error:  # pillow-heif raises ValueError
        raise ValueError(f"{name} cannot be read, it may be damaged, or its end missing: {error}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    return picture


def find_digit(ink: ndarray, strokes: ndarray) -> tuple[ndarray, list[str]]:
    """Returns which strokes (H, W) are the digit: the heaviest part near the middle, and what belongs to it.

    Beside it, a list with a sentence for what else there is: another digit, a mark, or the border on the digit.
    """
    labels = label(strokes, connectivity=2)
    height, width = ink.shape
    parts = [part for part in regionprops(labels, ink) if size(part) > max(2, LEAST * max(ink.shape))]
    if not parts:
        raise ValueError("no digit found: there are only specks")
    foreign = {part.label for part in parts if is_foreign(part, ink.shape)}

    def weight(part) -> float:
        y, x = part.centroid
        off = max(abs(y / height - 0.5), abs(x / width - 0.5))  # 0 in the middle, 0.5 at the border
        at_border = part.label in foreign or touches(part, ink.shape)
        return part.area * part.intensity_mean * (1 - off) * (0.15 if at_border else 1)

    main = max(parts, key=weight)
    others = [part for part in parts if part is not main and (main.label in foreign or part.label not in foreign)]
    chosen, joined = [], [main]
    while joined:
        chosen += joined
        box = _box(chosen)
        joined = [part for part in others if _belongs(part, box, main)]
        taken = {part.label for part in joined}
        others = [part for part in others if part.label not in taken]
    digit = np.isin(labels, [part.label for part in chosen])
    return digit, _at_border(ink, digit) + _beside(chosen, others)


def _box(parts: list) -> tuple[int, int, int, int]:
    """Returns top, left, bottom and right of all parts together."""
    tops, lefts, bottoms, rights = zip(*(part.bbox for part in parts))
    return min(tops), min(lefts), max(bottoms), max(rights)


def _belongs(part, box: tuple[int, int, int, int], main) -> bool:
    """Tells whether a part is a stroke of the digit in the box: near, and not another digit beside it."""
    top, left, bottom, right = box
    longer = max(bottom - top, right - left, size(part))
    below = max(part.bbox[0] - bottom, top - part.bbox[2]) / longer
    beside = max(part.bbox[1] - right, left - part.bbox[3]) / longer
    lower, higher = sorted((part.bbox[2] - part.bbox[0], bottom - top))
    if (beside > 0.05 and lower > 0.75 * higher) or part.intensity_mean < 0.5 * main.intensity_mean:
        return False
    reach = (0.33, 0.3) if size(part) > 0.15 * longer else (0.06, 0.06)
    return size(part) > 0.05 * longer and below < reach[0] and beside < reach[1]


def _at_border(ink: ndarray, digit: ndarray) -> list[str]:
    """Returns a sentence if strokes in full width and full ink end at the border.

    A picture that the digit fills from one side to the other one was cut out around it: nothing is missing.
    """
    full, width = np.median(ink[digit]), stroke_width(digit)
    if any(lines[:3].any() and lines[-3:].any() for lines in (digit.any(axis=0), digit.any(axis=1))):
        return []
    sides = (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])
    if any((digit[side] & (ink[side] > 0.7 * full)).sum() > max(1, 0.7 * width) for side in sides):
        return ["The digit touches the border of the picture: a part of it may be missing."]
    return []


def _beside(chosen: list, others: list) -> list[str]:
    """Returns a sentence for what else is on the picture."""
    top, left, bottom, right = _box(chosen)
    area = sum(part.area for part in chosen)
    others = [part for part in others if part.intensity_mean > 0.5 * chosen[0].intensity_mean]
    if any(part.bbox[2] - part.bbox[0] > 0.6 * (bottom - top) and part.area > 0.25 * area for part in others):
        return [f"{TWO}: the one that stands out was read. Take a picture of one alone."]
    longer = max(bottom - top, right - left)
    others = [part for part in others if size(part) > 0.3 * longer and part.area > 0.15 * area]
    gaps = [max(x.bbox[0] - bottom, top - x.bbox[2], x.bbox[1] - right, left - x.bbox[3]) for x in others]
    if any(gap < longer or part.area > 0.5 * area for gap, part in zip(gaps, others)):
        return [f"{MARK}: it was left out."]
    return []


def cut_out(ink: ndarray, digit: ndarray) -> ndarray:
    """Returns the smallest rectangle that holds the digit, from 0 to 1, its strokes as wide as MNIST's at least."""
    full, near = np.median(ink[digit]), ndimage.binary_dilation(digit, iterations=2)
    soft = np.clip((ink / full - 0.1) / 0.9, 0, 1) * near
    (box,) = ndimage.find_objects((soft > 0.1).astype(int))
    wider = (PEN * max(digit[box].shape) / BOX - stroke_width(digit[box])) / 2
    if wider <= 0:
        return soft[box]
    reach = int(np.ceil(wider))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    soft = np.pad(soft[box], reach + 1)
    soft = ndimage.grey_dilation(soft, footprint=y**2 + x**2 <= wider**2 + 0.1)
    return soft[ndimage.find_objects((soft > 0.1).astype(int))[0]]


def scale_to_box(ink: ndarray) -> ndarray:
    """Returns the ink scaled so that its longer side has 20 pixels and its strokes are white, 255."""
    factor = BOX / max(ink.shape)
    height, width = (max(1, round(factor * side)) for side in ink.shape)
    image = Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    ink = np.asarray(image).clip(0, 1)
    return (ink * 255 / np.percentile(ink[ink > ink.max() / 4], 90)).clip(0, 255)


def center(ink: ndarray) -> Tensor:
    """Returns uint8 (28, 28) with the ink's center of mass at the center, as near as whole pixels come."""
    field = np.zeros((3 * FIELD, 3 * FIELD))
    height, width = ink.shape
    y, x = (round(CENTER - middle) for middle in ndimage.center_of_mass(ink))
    field[FIELD + y : FIELD + y + height, FIELD + x : FIELD + x + width] = ink
    return torch.from_numpy(np.rint(field[FIELD:-FIELD, FIELD:-FIELD]).astype(np.uint8))


def doubts(image: Tensor) -> list[str]:
    """Returns a sentence if an image (28, 28) has more ink or holes than MNIST's digits, or looks like none."""
    ink = image.numpy() > DARK
    # Of 60,000 training digits, one in a thousand has more than 238 such pixels, few have more than two holes.
    if ink.sum() > MOST or euler_number(ink, connectivity=2) < EULER:
        return [STROKES]
    return [NONE] if is_scribble(image) else []


@torch.inference_mode()
def predict_digit(model: nn.Module, image: Tensor, mean: float, std: float, num_views: int = 32) -> Tensor:
    """Returns the probability (10,) of each digit for a uint8 image (28, 28), normalized by `mean` and `std`.

    It is the mean over the image and warped views of it, `num_views` in all: where they disagree, the network
    guesses, however sure it is of each.
    """
    model.eval()
    device = next(model.parameters()).device
    return model((views_of(image.to(device), num_views) - mean) / std).softmax(dim=1).mean(dim=0).cpu()


@torch.inference_mode()
def predict_photo(model: nn.Module, image: Tensor, mean: float, std: float) -> Tensor:
    """Returns the probability (10,) of each digit as `predict_digit` does, for a picture that may be turned.

    A 1 with a flag that leans to the right looks like a 7. So the image is read once more, turned back; where that
    gives another digit, both count.
    """
    upright = predict_digit(model, image, mean, std)
    back = np.array(Image.fromarray(image.numpy()).rotate(TURN, Image.Resampling.BILINEAR))
    turned = predict_digit(model, torch.from_numpy(back), mean, std, num_views=1)
    is_other = turned.argmax() != upright.argmax() and turned.max() > OTHER
    return (1 - SHARE) * upright + SHARE * turned if is_other else upright


def rules(num_views: int = 32) -> dict[str, object]:
    """Returns the rules of doubts for the pad, as plain data; its draws are those of `predict_digit` on a CPU."""
    draws = torch.rand(5, num_views - 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    numbers = {"views": VIEWS, "sure": SURE, "dark": DARK, "most": MOST, "euler": EULER}
    sentences = {"two": f"{TWO}: draw one alone.", "mark": f"{MARK}.", "strokes": STROKES, "none": NONE}
    made = {"draws": draws.T.double().numpy().round(4).tolist(), "scribble": network_of(trained_scribble_net(), 0, 1)}
    return numbers | sentences | made


def is_doubtful(probabilities: Tensor, notes: Sequence[str] = ()) -> bool:
    """Tells whether `answer` doubts what is read; probabilities (10,)."""
    return bool(notes) or bool(probabilities.max() < SURE)


def answer(probabilities: Tensor, notes: Sequence[str] = ()) -> str:
    """Returns what the network reads in plain words, each doubt a sentence; probabilities (10,)."""
    (first, second), digits = (x.tolist() for x in probabilities.topk(2))
    digit, other = (f"an {digit}" if digit == 8 else f"a {digit}" for digit in digits)
    text = f"It is {digit}, {first:.1%} sure."
    if first < SURE:
        text = f"It may be {digit} ({first:.0%}) or {other} ({second:.0%}): the network is not sure."
    return " ".join([text, *notes])
