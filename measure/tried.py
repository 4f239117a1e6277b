"""Ideas for the records that did not help, of which notebook 4 tells: kept so that their rows can be made again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from helpers.beyond.recipes import ALL_RECIPES, ConvNetRecipe
from helpers.beyond.shared import SharedConv2d
from helpers.data import Batches, Split
from helpers.model import NUM_CLASSES
from helpers.train import train_epoch


@dataclass(frozen=True, kw_only=True)
class Cropped(ConvNetRecipe):
    """A recipe whose network does not see the border of the images."""

    crop: int = 0  # its width in pixels

    def model(self) -> nn.Module:
        network = super().model()
        network.layers.insert(0, nn.ZeroPad2d(-self.crop))
        return network


@dataclass(frozen=True, kw_only=True)
class Tied(ConvNetRecipe):
    """A recipe of separable convolutions, some of which have the filters of the one before them.

    That is more depth by the same parameters, but for a batch norm of their own. Source: Lan et al., ALBERT,
    arXiv:1909.11942, who do so with transformers.
    """

    tied: tuple[int, ...] = ()  # which of them, by index; the first one, 0, is not separable

    def model(self) -> nn.Module:
        network = super().model()
        convs = [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]
        for place in [place for i in self.tied for place in (2 * i - 1, 2 * i)]:  # its depthwise and its pointwise one
            convs[place].weight = convs[place - 2].weight
        return network


class Outer(nn.Module):
    """Weights (filters, maps, 1, 1) of a `SharedConv2d` of 1x1 as products of two factors.

    One says how much of each filter to take, (filters, filters that it reads), the other from which of their
    orientations, (filters that it reads, orientations).
    """

    def __init__(self, orientations: int):
        super().__init__()
        self.orientations = orientations

    def forward(self, mix: Tensor, turns: Tensor) -> Tensor:
        return (mix[:, :, None] * turns).flatten(1)[:, :, None, None]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Returns factors to start from; not those of `weight`, which has none."""
        blocks = weight.unflatten(1, (-1, self.orientations))[..., 0, 0]
        return blocks[:, :, 0] * self.orientations**0.5, nn.functional.normalize(blocks[0])


@dataclass(frozen=True, kw_only=True)
class Factored(ConvNetRecipe):
    """A recipe of separable convolutions whose 1x1 ones mix filters and orientations by two factors.

    Source: Knigge et al., Exploiting Redundancy: Separable Group Convolutional Networks on Lie Groups,
    arXiv:2110.13059.
    """

    factored: bool = False  # True in all of them; a row's settings say so

    def model(self) -> nn.Module:
        network = super().model()
        for layer in network.layers:
            if isinstance(layer, SharedConv2d) and layer.kernel_size == (1, 1):
                register_parametrization(layer, "weight", Outer(layer.orientations))
        return network


class TaughtBatches:
    """Batches whose targets are the labels, mixed with what teachers make of the same augmented images.

    Each is images and probabilities (N, 10), which are softer than labels: a 7 that might be a 1 says so.
    Sources: Hinton et al., arXiv:1503.02531; that teachers see the same image: Beyer et al., arXiv:2106.05237.

    Args:
        batches: of images (N, 1, 28, 28) and labels (N,).
        teachers: networks in eval mode, whose mean probabilities count.
        share: the part of each target that is theirs, 0 to 1.
    """

    def __init__(self, batches: Batches, teachers: Sequence[nn.Module], share: float):
        self.batches, self.teachers, self.share = batches, teachers, share

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.batches:
            with torch.no_grad():
                answers = sum(teacher(images).softmax(dim=1) for teacher in self.teachers) / len(self.teachers)
            yield images, torch.lerp(F.one_hot(labels, NUM_CLASSES).float(), answers, self.share)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns where the batches stand, for a checkpoint."""
        return self.batches.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state_dict` returned."""
        self.batches.load_state_dict(state)


@dataclass(frozen=True, kw_only=True)
class Taught(ConvNetRecipe):
    """A recipe whose network learns from the answers of larger ones too, which are trained first."""

    teachers: int = 0  # how many networks of `own_digits`; more than 0 in all of them
    share: float = 0.5  # the part of each target that is theirs

    def set_up(
        self, split: Split, mean: float, std: float, seed: int, device: torch.device | str
    ) -> tuple[nn.Module, TaughtBatches, Optimizer, LRScheduler]:
        teachers = [self._teacher(split, mean, std, seed + 1000 * n, device) for n in range(1, self.teachers + 1)]
        model, batches, *others = super().set_up(split, mean, std, seed, device)
        return model, TaughtBatches(batches, teachers, self.share), *others

    @staticmethod
    def _teacher(split: Split, mean: float, std: float, seed: int, device: torch.device | str) -> nn.Module:
        """Returns a teacher, trained on the same images."""
        recipe = ALL_RECIPES["own_digits"]
        model, *others = recipe.set_up(split, mean, std, seed, device)
        for epoch in range(1, recipe.num_epochs + 1):
            train_epoch(model, *others, f"teacher {seed}, epoch {epoch}", label_smoothing=recipe.label_smoothing)
        return model.eval()
