"""Named networks with all settings of their training. A recipe makes the model, batches, optimizer and schedule."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, OneCycleLR

from helpers.data import Batches, Split, mean_and_std, random_warp
from helpers.model import BaselineNet, LessonNet, to_device
from helpers.train import set_seed

NETWORKS = {"BaselineNet": BaselineNet, "LessonNet": LessonNet}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A network and how it is trained: SGD with momentum, shuffled batches, perhaps augmentation.

    With a cycle the learning rate rises to its peak and falls to zero (Smith and Topin,
    arXiv:1708.07120); without one it shrinks from epoch to epoch, or stays.
    """

    network: str  # of `NETWORKS`, or a subclass's own
    num_epochs: int
    lr: float  # its peak, if there is a cycle
    batch_size: int = 128
    dropout: float = 0.0
    momentum: float = 0.9  # Nesterov's, if there is a cycle
    weight_decay: float = 0.0
    cycle: float = 0.25  # part of the steps in which the learning rate rises; 0 for no cycle
    lr_decay: float = 1.0  # without a cycle, the factor for each epoch
    degrees: float = 0  # bounds of the augmentation, see `random_warp`: rotation,
    shift: float = 0  # in pixels,
    scale: float = 0  # relative,
    shear: float = 0  # in degrees
    label_smoothing: float = 0.0  # see `train_epoch`

    def __str__(self) -> str:
        """Returns the settings that differ from their defaults."""
        settings = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        return ", ".join(f"{name}={value}" for name, value, default in settings if value != default)

    def model(self) -> nn.Module:
        """Returns the network with fresh weights from torch's random source."""
        return NETWORKS[self.network](self.dropout)

    def normalization(self, images: Tensor) -> tuple[float, float]:
        """Returns the mean and deviation that images are normalized by; those of the training images."""
        return mean_and_std(images)

    def augment(self) -> Callable[..., Tensor] | None:
        """Returns what augments a batch, if the recipe says so."""
        bounds = {name: getattr(self, name) for name in ("degrees", "shift", "scale", "shear")}
        return partial(random_warp, **bounds) if any(bounds.values()) else None

    def train_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        """Returns shuffled and augmented batches."""
        settings = {"shuffle": True, "augment": self.augment(), "seed": seed, "device": device}
        return Batches(split, self.batch_size, mean, std, **settings)

    def optimizer(self, model: nn.Module) -> Optimizer:
        """Returns SGD with momentum."""
        settings = {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}
        nesterov = self.cycle > 0 and self.momentum > 0
        # Fused, one kernel for all parameters: with layers this small, calls cost more than sums.
        return SGD(model.parameters(), nesterov=nesterov, fused=True, **settings)

    def scheduler(self, optimizer: Optimizer, num_steps: int) -> LRScheduler:
        """Returns the learning rate's schedule over `num_steps`, to be stepped once per batch."""
        if self.cycle:
            return one_cycle(optimizer, num_steps, self.cycle)
        return ExponentialLR(optimizer, self.lr_decay ** (self.num_epochs / num_steps))

    def settings(self, **more: object) -> dict[str, object]:
        """Returns all that reaches training, and `more`, such as the seed: what a checkpoint says of its run."""
        return asdict(self) | more

    def set_up(
        self, split: Split, mean: float, std: float, seed: int, device: torch.device | str
    ) -> tuple[nn.Module, Batches, Optimizer, LRScheduler]:
        """Returns model, batches, optimizer and schedule, made from one seed; `fit` takes `label_smoothing` as well."""
        set_seed(seed)
        model = to_device(self.model(), device)
        batches = self.train_batches(split, mean, std, seed, device)
        optimizer = self.optimizer(model)
        return model, batches, optimizer, self.scheduler(optimizer, self.num_epochs * len(batches))


def one_cycle(optimizer: Optimizer, num_steps: int, rise: float, anneal: str = "cos") -> OneCycleLR:
    """Returns a schedule that rises to the optimizer's rates in a part of the steps, and falls to zero in the others.

    Args:
        rise: that part, 0 to 1.
        anneal: the form of both, "cos" or "linear".

    Raises:
        ValueError: it would rise in a single step, which torch's schedule cannot.
    """
    if rise * num_steps == 1:
        advice = "use more images, more epochs or a smaller batch_size"
        raise ValueError(f"{num_steps} steps are too few for a cycle that rises in {rise} of them; {advice}")
    peaks = [group["lr"] for group in optimizer.param_groups]
    shape = {"pct_start": rise, "anneal_strategy": anneal, "cycle_momentum": False}
    return OneCycleLR(optimizer, peaks, total_steps=num_steps, **shape)


RECIPES = {
    "baseline": Recipe(
        network="BaselineNet", num_epochs=20, lr=0.01, momentum=0.5, cycle=0, lr_decay=0.92, dropout=0.1
    ),
    "lesson": Recipe(
        network="LessonNet",
        num_epochs=7,
        lr=0.1,
        dropout=0.05,
        weight_decay=5e-4,
        degrees=6,
        shift=1,
        scale=0.08,
        shear=3,
    ),
}
