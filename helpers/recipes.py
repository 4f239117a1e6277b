"""Named recipes: a network and how it is trained, as frozen data, and what is built from them."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, OneCycleLR

from helpers.data import Batches, Split, random_affine
from helpers.model import BaselineNet, ConvNet


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Args:
        stages: of `ConvNet`; None stands for `BaselineNet`.
        stem_kernel, unpadded: of `ConvNet`.
        dropout: of either network.
        lr: learning rate of SGD; its peak, if `one_cycle`.
        one_cycle: rise to `lr` over the first quarter of the steps, then anneal to zero by a cosine
            (Smith and Topin, arXiv:1708.07120), with Nesterov momentum.
        lr_decay: without `one_cycle`, the factor by which the learning rate shrinks in each epoch.
        degrees, shift, scale, shear: bounds of the augmentation, see `random_affine`.
    """

    stages: tuple[tuple[int, ...], ...] | None
    num_epochs: int
    lr: float
    batch_size: int = 128
    stem_kernel: int = 3
    unpadded: tuple[int, ...] = (-2, -1)
    dropout: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    one_cycle: bool = True
    lr_decay: float = 1.0
    degrees: float = 0
    shift: float = 0
    scale: float = 0
    shear: float = 0

    def model(self) -> nn.Module:
        """Returns the network with fresh weights from torch's random source."""
        if self.stages is None:
            return BaselineNet(self.dropout)
        return ConvNet(self.stages, stem_kernel=self.stem_kernel, unpadded=self.unpadded, dropout=self.dropout)

    def train_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        """Returns shuffled and, if the recipe says so, augmented batches."""
        bounds = {"degrees": self.degrees, "shift": self.shift, "scale": self.scale, "shear": self.shear}
        augment = partial(random_affine, **bounds) if any(bounds.values()) else None
        return Batches(split, self.batch_size, mean, std, shuffle=True, augment=augment, seed=seed, device=device)

    def optimizer(self, model: nn.Module, num_steps: int) -> tuple[SGD, LRScheduler]:
        """Returns SGD and its schedule over `num_steps`, to be stepped once per batch."""
        sgd = SGD(
            model.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.one_cycle,
            weight_decay=self.weight_decay,
            fused=True,  # one kernel for all parameters: with layers this small, calls cost more than sums
        )
        if self.one_cycle:
            return sgd, OneCycleLR(sgd, self.lr, total_steps=num_steps, pct_start=0.25)
        return sgd, ExponentialLR(sgd, self.lr_decay ** (self.num_epochs / num_steps))


RECIPES = {
    "baseline": Recipe(
        stages=None,
        num_epochs=20,
        lr=0.01,
        momentum=0.5,
        one_cycle=False,
        lr_decay=0.92,
        dropout=0.1,
    ),
    "notebook": Recipe(
        stages=((8,), (16, 16), (16, 24, 24)),
        stem_kernel=4,
        unpadded=(0, -2, -1),
        num_epochs=6,
        lr=0.1,
        dropout=0.05,
        weight_decay=5e-4,
        degrees=6,
        shift=1,
        scale=0.08,
        shear=3,
    ),
}
