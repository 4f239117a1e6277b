"""Named recipes: a network and how it is trained, as frozen data, and what is built from them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler, OneCycleLR

from helpers.data import Batches, Split, random_warp
from helpers.model import BaselineNet, ConvNet, to_device
from helpers.muon import muon_for
from helpers.train import set_seed


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    With a cycle the learning rate rises to its peak and falls to zero (Smith and Topin,
    arXiv:1708.07120); without one it shrinks from epoch to epoch, or stays.
    """

    stages: tuple[tuple[int | tuple[int, ...], ...], ...] | None  # of `ConvNet`; None stands for `BaselineNet`
    num_epochs: int
    lr: float  # of SGD; its peak, if there is a cycle
    muon_lr: float = 0.0  # the same for convolutions of more than one channel, if `Muon` trains them
    batch_size: int = 128
    orientations: int = 1  # of `ConvNet`, as are the next five
    separable: bool = False
    unpadded: tuple[int, ...] | None = None
    dropout: float = 0.0  # of `BaselineNet` too
    activation: str = "ReLU"
    num_norms: int | None = None
    momentum: float = 0.9  # Nesterov's, if there is a cycle
    weight_decay: float = 0.0
    cycle: float = 0.25  # part of the steps in which the learning rate rises; 0 for no cycle
    anneal: str = "cos"  # or "linear": how it rises and falls
    lr_decay: float = 1.0  # without a cycle, the factor for each epoch
    degrees: float = 0  # bounds of the augmentation, see `random_warp`: rotation,
    shift: float = 0  # in pixels,
    scale: float = 0  # relative,
    shear: float = 0  # in degrees
    bend: float = 0  # in pixels
    fade: float = 0  # over so many epochs at the end the bounds shrink to zero
    num_views: int = 1  # the final score is that of the mean logits over so many augmented views of each image
    normalize: tuple[float, float] | None = None  # by this mean and deviation; None for the training set's

    def __str__(self) -> str:
        """Returns the settings that differ from their defaults."""
        settings = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        return ", ".join(f"{name}={value}" for name, value, default in settings if value != default)

    def model(self) -> nn.Module:
        """Returns the network with fresh weights from torch's random source."""
        if self.stages is None:
            return BaselineNet(self.dropout)
        names = ("orientations", "separable", "unpadded", "dropout", "activation", "num_norms")
        return ConvNet(self.stages, **{name: getattr(self, name) for name in names})

    def augment(self) -> Callable[..., Tensor] | None:
        """Returns what augments a batch, if the recipe says so."""
        bounds = {name: getattr(self, name) for name in ("degrees", "shift", "scale", "shear", "bend")}
        return partial(random_warp, **bounds) if any(bounds.values()) else None

    def train_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        """Returns shuffled and augmented batches."""
        settings = {"shuffle": True, "augment": self.augment(), "seed": seed, "device": device}
        if self.fade:  # at the end training sees images as they are scored
            settings["strength"] = lambda epochs: min(1, (self.num_epochs - epochs) / self.fade)
        return Batches(split, self.batch_size, mean, std, **settings)

    def view_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        """Returns batches in one order, each pass another view of the images, for `evaluate(..., num_views)`."""
        return Batches(split, 1000, mean, std, augment=self.augment(), seed=seed, device=device)

    def optimizer(self, model: nn.Module) -> Optimizer:
        """Returns SGD with momentum, or `Muon` if the recipe has a learning rate for it."""
        settings = {"lr": self.lr, "momentum": self.momentum, "weight_decay": self.weight_decay}
        if self.muon_lr:
            return muon_for(model, self.muon_lr, **settings)
        nesterov = self.cycle > 0 and self.momentum > 0
        # Fused, one kernel for all parameters: with layers this small, calls cost more than sums.
        return SGD(model.parameters(), nesterov=nesterov, fused=True, **settings)

    def scheduler(self, optimizer: Optimizer, num_steps: int) -> LRScheduler:
        """Returns the learning rate's schedule over `num_steps`, to be stepped once per batch.

        Raises:
            ValueError: the cycle would rise in a single step, which torch's schedule cannot.
        """
        if not self.cycle:
            return ExponentialLR(optimizer, self.lr_decay ** (self.num_epochs / num_steps))
        if self.cycle * num_steps == 1:
            advice = "use more images, more epochs or a smaller batch_size"
            raise ValueError(f"{num_steps} steps are too few for a cycle that rises in {self.cycle} of them; {advice}")
        peaks = [group["lr"] for group in optimizer.param_groups]
        shape = {"pct_start": self.cycle, "anneal_strategy": self.anneal, "cycle_momentum": False}
        return OneCycleLR(optimizer, peaks, total_steps=num_steps, **shape)

    def settings(self, **more: object) -> dict[str, object]:
        """Returns all that reaches training, and `more`, such as the seed: what a checkpoint says of its run."""
        # Fading depends on the number of epochs, which without a cycle may otherwise grow.
        fading = {"full augmentation": self.num_epochs - self.fade} if self.fade else {}
        return {name: value for name, value in asdict(self).items() if name != "num_views"} | fading | more

    def set_up(
        self, split: Split, mean: float, std: float, seed: int, device: torch.device | str
    ) -> tuple[nn.Module, Batches, Optimizer, LRScheduler]:
        """Returns all that training takes, made from one seed: model, batches, optimizer and schedule."""
        set_seed(seed)
        model = to_device(self.model(), device)
        batches = self.train_batches(split, mean, std, seed, device)
        optimizer = self.optimizer(model)
        return model, batches, optimizer, self.scheduler(optimizer, self.num_epochs * len(batches))


# Bounds of the augmentation, see `random_warp`.
MILD = {"degrees": 6, "shift": 1, "scale": 0.08, "shear": 3}
MEDIUM = {"degrees": 6, "shift": 1.2, "scale": 0.08, "shear": 4}
STRONG = {"degrees": 9, "shift": 1.5, "scale": 0.1, "shear": 5}

# What the networks of one family have in common, from 1,000 to 10,000 parameters.
FAMILY = {"num_epochs": 19, "batch_size": 64, "orientations": 8, "activation": "SiLU", "anneal": "linear", "fade": 4}

RECIPES = {
    "baseline": Recipe(stages=None, num_epochs=20, lr=0.01, momentum=0.5, cycle=0, lr_decay=0.92, dropout=0.1),
    "notebook": Recipe(
        stages=(((8, 4),), (16, 16), (16, 24, 24)),
        unpadded=(0, -2, -1),
        num_epochs=7,
        lr=0.1,
        dropout=0.05,
        weight_decay=5e-4,
        **MILD,
    ),
    "tiny": Recipe(
        stages=(((4, 5),), (4, 4, 4), (3,)),
        separable=True,
        unpadded=(0, -2, -1),
        lr=0.05,
        muon_lr=0.1,
        **FAMILY,
        **MEDIUM,
    ),
    "smallest": Recipe(
        stages=(((4, 5), 4), (5, 5, 5), (4,)),
        separable=True,
        unpadded=(0, -3, -2, -1),
        lr=0.05,
        muon_lr=0.1,
        num_views=32,
        **FAMILY,
        **MEDIUM,
    ),
    "medium": Recipe(
        stages=(((3, 5),), (3, 4), (4, 6)),
        unpadded=(0, -2, -1),
        lr=0.05,
        muon_lr=0.05,
        weight_decay=5e-4,
        bend=1.2,
        **FAMILY | {"num_epochs": 9},
        **STRONG,
    ),
    "accurate": Recipe(
        stages=(((4, 5),), (4, 6), (6, 8)),
        unpadded=(0, -2, -1),
        lr=0.05,
        muon_lr=0.05,
        weight_decay=5e-4,
        bend=1.2,
        num_views=32,
        **FAMILY,
        **STRONG,
    ),
    "fewest_epochs": Recipe(
        stages=(((4, 5),), (6, 8), (8, 11)),
        orientations=8,
        unpadded=(0, -2, -1),
        num_epochs=2,
        lr=0.2,
        muon_lr=0.06,
        cycle=0.1,
        anneal="linear",
        weight_decay=5e-4,
        fade=1,
        **MILD,
    ),
    "fastest": Recipe(
        stages=(((16, 5),), (16, 24), (24, 32)),
        unpadded=(0, -2, -1),
        num_epochs=2,
        lr=0.2,
        muon_lr=0.06,
        cycle=0.1,
        anneal="linear",
        weight_decay=5e-4,
        fade=1,
        **MILD,
    ),
}
