"""MNIST as tensors on the device (55 MB). A batch is picked by index, and augmented as a whole."""

import os
from collections.abc import Callable, Iterator
from math import ceil, radians
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.download import from_idx, mnist_files


class Split(NamedTuple):
    """Images (N, 28, 28) and labels (N,), both uint8."""

    images: Tensor
    labels: Tensor


def load_mnist(root: str | os.PathLike | None = None) -> tuple[Split, Split]:
    """Returns the training split (60,000) and the test split (10,000); see `mnist_files`."""
    tensors = [torch.from_numpy(from_idx(data)) for data in mnist_files(root).values()]
    return Split(*tensors[:2]), Split(*tensors[2:])


def hold_out(train: Split, num_validation: int = 10_000) -> tuple[Split, Split]:
    """Splits the training data in two, without overlap; its last images are held out.

    Raises:
        ValueError: one of the two parts would be empty.
    """
    num_images = len(train.images)
    if not 0 < num_validation < num_images:
        raise ValueError(f"num_validation must be in 1..{num_images - 1}, got {num_validation}")
    return Split(*(part[:-num_validation] for part in train)), Split(*(part[-num_validation:] for part in train))


def mean_and_std(images: Tensor) -> tuple[float, float]:
    """Returns mean and standard deviation of all pixels, on the scale 0..1."""
    # Exact sums over the 256 pixel values: no 188 MB of floats, no rounding.
    counts = torch.bincount(images.flatten(), minlength=256).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (counts * values).sum() / counts.sum()
    var = (counts * (values - mean) ** 2).sum() / counts.sum()
    return mean.item(), var.sqrt().item()


class Batches:
    """One epoch of (images, labels) on the device at each iteration.

    Images come as float32 (N, 1, 28, 28), normalized by `mean` and `std`; labels as int64 (N,).

    Args:
        split: uint8 images and labels.
        augment: called as `augment(images, generator)` on pixels of 0..255 before they are normalized.
        seed: of the generator that shuffles and augments. It runs on from epoch to epoch.

    Raises:
        ValueError: images are not uint8 (N, H, W), labels not N integers of 0..9, or batch_size not in 1..N.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        mean: float,
        std: float,
        *,
        shuffle: bool = False,
        augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ):
        if split.images.dtype != torch.uint8 or split.images.ndim != 3:
            shape, dtype = tuple(split.images.shape), split.images.dtype
            raise ValueError(f"images must be uint8 of shape (N, height, width), got {dtype} of shape {shape}")
        if split.labels.shape != split.images.shape[:1]:
            raise ValueError(f"{len(split.images)} images but labels of shape {tuple(split.labels.shape)}")
        if split.labels.is_floating_point() or ((split.labels < 0) | (split.labels > 9)).any():
            raise ValueError(f"labels must be integers from 0 to 9, got {split.labels.unique().tolist()[:20]}")
        if not 1 <= batch_size <= len(split.images):
            raise ValueError(f"batch_size must be in 1..{len(split.images)}, got {batch_size}")
        self.images = split.images.unsqueeze(1).to(device)  # (N, 1, 28, 28), uint8
        self.labels = split.labels.to(device, torch.int64)
        self.batch_size, self.shuffle, self.augment = batch_size, shuffle, augment
        self.mean, self.std = 255 * mean, 255 * std
        self.generator = torch.Generator(device).manual_seed(seed)

    def __len__(self) -> int:
        """Number of batches, the last and smaller one included."""
        return ceil(len(self.images) / self.batch_size)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns where the generator stands, for a checkpoint."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state_dict` returned; without the generator, if that was another device's."""
        if "generator" in state:
            self.generator.set_state(state["generator"])

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        num_images, device = self.images.shape[0], self.images.device
        if self.shuffle:
            order = torch.randperm(num_images, generator=self.generator, device=device)
        else:
            order = torch.arange(num_images, device=device)
        for index in order.split(self.batch_size):
            images = self.augmented(self.images[index].float())
            yield (images - self.mean) / self.std, self.labels[index]

    def augmented(self, images: Tensor) -> Tensor:
        """Returns a batch of pixels (N, 1, 28, 28) as `augment` changes it."""
        return images if self.augment is None else self.augment(images, self.generator)


def random_warp(
    images: Tensor,
    generator: torch.Generator,
    degrees: float = 0,
    shift: float = 0,
    scale: float = 0,
    shear: float = 0,
) -> Tensor:
    """Rotates, shifts, scales and shears each image by its own random amounts.

    Each amount is uniform in +-its bound. What comes in from outside the image is 0.

    Args:
        images: float (N, C, H, W).
        degrees: bound of the rotation, in degrees.
        shift: bound of the shift along each axis, in pixels.
        scale: bound of the relative change of size: 0.1 draws from 0.9 to 1.1.
        shear: bound of the shear along x, in degrees.

    Returns:
        Images of the same shape, sampled bilinearly (so no value leaves the range of the input and 0).
    """
    return sample(images, random_grid(images, generator, degrees, shift, scale, shear))


def random_grid(
    images: Tensor,
    generator: torch.Generator,
    degrees: float = 0,
    shift: float = 0,
    scale: float = 0,
    shear: float = 0,
    strength: float = 1,
) -> Tensor:
    """Returns the source position of each pixel for `random_warp`: (N, 2, H, W), x and y from -1 to 1 inside the image.

    Args:
        strength: a factor of all bounds.
    """
    num_images, _, height, width = images.shape
    # Bounds are numbers, not a tensor: to copy one to a GPU makes the host wait.
    bounds = radians(degrees), radians(shear), scale, 2 * shift / width, 2 * shift / height
    draws = torch.rand(5, num_images, generator=generator, device=images.device) * 2 - 1
    angle, slant, growth, dx, dy = (draw * (strength * bound) for draw, bound in zip(draws, bounds))
    cos, sin, tan = angle.cos() / (1 + growth), angle.sin() / (1 + growth), slant.tan()
    # Sampling reads backwards: each place (x, y) of the output asks for its source.
    # F.affine_grid would do the same, slower on a CPU: it multiplies many 2x3 matrices.
    x = (torch.arange(width, device=images.device) + 0.5) * (2 / width) - 1
    y = ((torch.arange(height, device=images.device) + 0.5) * (2 / height) - 1).unsqueeze(1)
    a, b, c, d, dx, dy = (v.view(-1, 1, 1) for v in (cos, cos * tan - sin, sin, sin * tan + cos, dx, dy))
    return torch.stack([a * x + (b * y + dx), c * x + (d * y + dy)], dim=1)


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Returns images whose pixels come from the places (N, 2, H, W) of a grid, interpolated; outside there is 0."""
    return F.grid_sample(images, grid.movedim(1, -1), mode="bilinear", padding_mode="zeros", align_corners=False)
