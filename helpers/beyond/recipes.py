"""The recipes of the records, and what a recipe of a `ConvNet` adds to the lesson's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from helpers.beyond.augment import FadingBatches, random_bend
from helpers.beyond.conv_net import ConvNet
from helpers.beyond.muon import muon_for
from helpers.beyond.whiten import whiten
from helpers.data import Batches, Split
from helpers.recipes import RECIPES, Recipe, one_cycle

WHITENED = 5000  # images that `whiten` looks at, also where training sees a part of them


@dataclass(frozen=True, kw_only=True)
class ConvNetRecipe(Recipe):
    """A `ConvNet` and how it is trained: as a `Recipe` says, with what the records need beyond."""

    network: str = "ConvNet"
    stages: tuple[tuple[int | tuple[int, ...], ...], ...]  # of `ConvNet`, as are the next five
    orientations: int = 1
    separable: bool = False
    unpadded: tuple[int, ...] | None = None
    activation: str = "ReLU"
    num_norms: int | None = None
    muon_lr: float = 0.0  # the peak for convolutions of more than one channel, if `Muon` trains them
    anneal: str = "cos"  # or "linear": how the learning rate rises and falls
    bend: float = 0  # bound of `random_bend`, in pixels
    fade: float = 0  # number of last epochs in which all bounds of the augmentation shrink to zero
    part: float = 1.0  # of the training images that training sees, chosen by the seed; 0.5 makes half an epoch of one
    whiten: bool = False  # whether the first layer starts with filters made from the images, see `whiten`
    num_views: int = 1  # number of augmented views of each image whose mean logits give the final score
    normalize: tuple[float, float] | None = None  # by this mean and deviation; None for the training set's

    def model(self) -> nn.Module:
        names = ("orientations", "separable", "unpadded", "dropout", "activation", "num_norms")
        return ConvNet(self.stages, **{name: getattr(self, name) for name in names})

    def normalization(self, images: Tensor) -> tuple[float, float]:
        return self.normalize or super().normalization(images)

    def augment(self) -> Callable[..., Tensor] | None:
        bounds = {name: getattr(self, name) for name in ("degrees", "shift", "scale", "shear", "bend")}
        return partial(random_bend, **bounds) if any(bounds.values()) else None

    def train_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        if self.part < 1:
            chosen = torch.randperm(len(split.labels), generator=torch.Generator().manual_seed(seed))
            chosen = chosen[: round(self.part * len(chosen))]
            split = Split(split.images[chosen], split.labels[chosen])
        if not self.fade or self.augment() is None:
            return super().train_batches(split, mean, std, seed, device)
        return FadingBatches(  # at the end training sees images as they are scored
            split,
            self.batch_size,
            mean,
            std,
            strength=lambda epochs: min(1, (self.num_epochs - epochs) / self.fade),
            shuffle=True,
            augment=self.augment(),
            seed=seed,
            device=device,
        )

    def view_batches(self, split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> Batches:
        """Returns batches in one order, each pass another view of the images, for `evaluate_views`."""
        return Batches(split, 1000, mean, std, augment=self.augment(), seed=seed, device=device)

    def set_up(
        self, split: Split, mean: float, std: float, seed: int, device: torch.device | str
    ) -> tuple[nn.Module, Batches, Optimizer, LRScheduler]:
        model, *others = super().set_up(split, mean, std, seed, device)
        if self.whiten:
            images = (split.images[:WHITENED, None].float() / 255 - mean) / std
            whiten(model.layers[0], images)
        return model, *others

    def optimizer(self, model: nn.Module) -> Optimizer:
        """Returns `Muon` if the recipe has a learning rate for it, else SGD."""
        if not self.muon_lr:
            return super().optimizer(model)
        return muon_for(model, self.muon_lr, self.lr, self.momentum, self.weight_decay)

    def scheduler(self, optimizer: Optimizer, num_steps: int) -> LRScheduler:
        if not self.cycle:
            return super().scheduler(optimizer, num_steps)
        return one_cycle(optimizer, num_steps, self.cycle, self.anneal)

    def settings(self, **more: object) -> dict[str, object]:
        # Fading depends on the number of epochs, which without a cycle may otherwise grow.
        fading = {"full augmentation": self.num_epochs - self.fade} if self.fade else {}
        settings = super().settings() | fading | more
        del settings["num_views"]  # which training does not know
        return settings


# Bounds of the augmentation, see `random_warp`.
MILD = {"degrees": 6, "shift": 1, "scale": 0.08, "shear": 3}
MEDIUM = {"degrees": 6, "shift": 1.2, "scale": 0.08, "shear": 4}
STRONG = {"degrees": 9, "shift": 1.5, "scale": 0.1, "shear": 5}
WIDE = {"degrees": 20, "shift": 1.5, "scale": 0.15, "shear": 15}

# What the networks of one family have in common, from 1,000 to 10,000 parameters, and its smaller and larger ones.
FAMILY = {"num_epochs": 19, "batch_size": 64, "orientations": 8, "activation": "SiLU", "lr": 0.05, "anneal": "linear"}
FAMILY |= {"fade": 4}
SMALL = FAMILY | MEDIUM | {"separable": True, "muon_lr": 0.1}
LARGE = FAMILY | STRONG | {"bend": 1.2, "muon_lr": 0.05, "weight_decay": 5e-4, "unpadded": (0, -2, -1)}

# What the networks of a single epoch have in common.
SHORT = {"num_epochs": 1, "lr": 0.2, "muon_lr": 0.06, "cycle": 0.1, "anneal": "linear", "weight_decay": 5e-4}
SHORT |= {"fade": 0.5, "unpadded": (0, -2, -1)} | MILD
# Of the fastest ones, which see all images or half of them.
FAST = {"stages": (((16, 5),), (16, 24), (24, 32)), "activation": "SiLU", "label_smoothing": 0.2, "whiten": True}

# The layers of `LessonNet`, as a `ConvNet` has them.
LESSON_LAYERS = {"stages": (((8, 4),), (16, 16), (16, 24, 24)), "unpadded": (0, -2, -1)}

ALL_RECIPES = RECIPES | {
    # The lesson's network, as it is, when more time and a wider augmentation are allowed.
    "lesson_longer": replace(RECIPES["lesson"], num_epochs=18, degrees=10, shift=1.5, scale=0.15, shear=8),
    # The lesson's network without its dropout, trained as the records are.
    "lesson_muon": ConvNetRecipe(**SHORT | STRONG | LESSON_LAYERS | {"num_epochs": 5, "fade": 2, "bend": 1.2}),
    "tiny": ConvNetRecipe(stages=(((4, 5),), (4, 4, 4), (3,)), unpadded=(0, -2, -1), **SMALL),
    "smallest": ConvNetRecipe(stages=(((4, 5), 4), (5, 5, 5), (4,)), unpadded=(0, -3, -2, -1), num_views=32, **SMALL),
    "medium": ConvNetRecipe(stages=(((3, 5),), (3, 4), (4, 6)), **LARGE | {"num_epochs": 9}),
    "accurate": ConvNetRecipe(stages=(((4, 5),), (4, 6), (6, 8)), num_views=32, **LARGE),
    "fewest_epochs": ConvNetRecipe(
        stages=(((4, 5),), (6, 8), (8, 11)), orientations=8, batch_size=64, label_smoothing=0.1, **SHORT
    ),
    "fastest": ConvNetRecipe(**FAST, **SHORT),
    "half_epoch": ConvNetRecipe(part=0.5, **FAST, **SHORT),
    # Reads digits that people draw and photograph, which lean and bend more than MNIST's.
    "own_digits": ConvNetRecipe(bend=2, **FAST | SHORT | WIDE | {"num_epochs": 6, "fade": 2, "label_smoothing": 0.0}),
}
