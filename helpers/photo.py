"""A picture of a handwritten digit, made into an image like MNIST's."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

BOX, FIELD, CENTRE = 20, 28, 14  # pixels: MNIST's box for the digit, its image, and where its mass has its centre
LEAST_CONTRAST = 25  # of 255: less than this between ink and paper is noise


def read_digit(picture: str | os.PathLike | Image.Image | np.ndarray) -> Tensor:
    """Returns the digit of a picture as MNIST would hold it.

    MNIST's own way (http://yann.lecun.com/exdb/mnist/): the digit, light on dark, is scaled until its
    longer side has 20 pixels, with anti-aliasing, and moved until its centre of mass is the centre of
    28 x 28 pixels.

    Args:
        picture: dark ink on light paper or the reverse: a file, a PIL image, or an array (H, W) or
            (H, W, 3 or 4) of uint8, or of floats from 0 to 1.

    Returns:
        uint8 (28, 28), the ink light.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file or array is no picture, or there is no ink on it.
    """
    return centre(scale_to_box(cut_out(find_ink(to_grey(picture)))))


def to_grey(picture: str | os.PathLike | Image.Image | np.ndarray) -> np.ndarray:
    """Returns the picture in grey, float 0 to 255 (H, W); what is transparent becomes white."""
    if isinstance(picture, (str, os.PathLike)):
        try:
            picture = Image.open(Path(picture))
            picture.load()
        except UnidentifiedImageError as error:
            raise ValueError(f"{picture} is no picture that PIL can read") from error
    elif not isinstance(picture, Image.Image):
        array = np.asarray(picture)
        if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
            raise ValueError(f"a picture has the shape (H, W), (H, W, 3) or (H, W, 4), got {array.shape}")
        if array.dtype != np.uint8:
            if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
                raise ValueError(f"a picture of {array.dtype} has values from 0 to 1; uint8 has 0 to 255")
            array = np.rint(255 * array.astype(float)).astype(np.uint8)
        picture = Image.fromarray(array)
    picture = ImageOps.exif_transpose(picture).convert("RGBA")  # photos say in EXIF which side is up
    paper = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(paper, picture).convert("L"), dtype=float)


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Returns how much ink there is at each pixel, 0 to 255: the difference from the paper, without its noise.

    The paper is what most of the border shows.

    Raises:
        ValueError: nothing stands out from the paper.
    """
    paper = np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    darker, lighter = np.clip(paper - grey, 0, None), np.clip(grey - paper, 0, None)
    ink = darker if darker.sum() > lighter.sum() else lighter
    if ink.max() < LEAST_CONTRAST:
        raise ValueError("no digit found: nothing on the picture stands out from its border")
    # Full ink is what the middle of the stroke has; a photo's paper may differ by a quarter of that.
    full = np.percentile(ink[ink > ink.max() / 2], 50)
    noise = full / 4 if _is_photo(ink, full) else 0
    return np.clip((ink - noise) / (full - noise), 0, 1) * 255


def _is_photo(ink: np.ndarray, full: float) -> bool:
    """Tells whether the paper is uneven: on a drawn picture most of it is exactly the paper's grey."""
    return np.mean((ink > 0) & (ink < full / 4)) > 0.25


def cut_out(ink: np.ndarray) -> np.ndarray:
    """Returns the smallest rectangle that holds the ink."""
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > LEAST_CONTRAST) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scale_to_box(ink: np.ndarray) -> np.ndarray:
    """Returns the ink scaled so that its longer side has 20 pixels."""
    factor = BOX / max(ink.shape)
    height, width = (max(1, round(factor * side)) for side in ink.shape)
    image = Image.fromarray(ink.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 255)


def centre(ink: np.ndarray) -> Tensor:
    """Returns uint8 (28, 28) with the ink's centre of mass at the centre, as near as whole pixels come."""
    field = np.zeros((3 * FIELD, 3 * FIELD))
    height, width = ink.shape
    y = round(CENTRE - (ink.sum(axis=1) @ np.arange(height)) / ink.sum())
    x = round(CENTRE - (ink.sum(axis=0) @ np.arange(width)) / ink.sum())
    field[FIELD + y : FIELD + y + height, FIELD + x : FIELD + x + width] = ink
    return torch.from_numpy(np.rint(field[FIELD:-FIELD, FIELD:-FIELD]).astype(np.uint8))


@torch.inference_mode()
def predict_digit(model: nn.Module, image: Tensor, mean: float, std: float) -> Tensor:
    """Returns the probability (10,) of each digit for a uint8 image (28, 28), normalised by `mean` and `std`."""
    model.eval()
    device = next(model.parameters()).device
    pixels = (image.to(device).float() / 255 - mean) / std
    return model(pixels.view(1, 1, FIELD, FIELD)).softmax(dim=1)[0].cpu()
