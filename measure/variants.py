"""The lesson's recipe, shortened, with one thing changed at a time: what notebook 3 measures."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from helpers.beyond.recipes import LESSON_LAYERS, ConvNetRecipe
from helpers.model import NUM_CLASSES
from helpers.recipes import RECIPES, Recipe
from measure.sprint import SprintRecipe
from measure.tried import Cropped, Factored, Taught, Tied


@dataclass(frozen=True, kw_only=True)
class PoolLast(ConvNetRecipe):
    """A recipe whose batch norm and activation come before each pooling, on all pixels of its convolution."""

    pool_last: bool = False  # True in all of them; a row's settings say so

    def model(self) -> nn.Module:
        network = super().model()
        layers = list(network.layers)
        for i in [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]:
            pool, norm, activation = layers[i : i + 3]
            layers[i : i + 3] = [norm, activation, pool]
        network.layers = nn.Sequential(*layers)
        return network


@dataclass(frozen=True, kw_only=True)
class FullyConnected(ConvNetRecipe):
    """A recipe whose head is a fully connected layer, in place of a 1x1 convolution and the average."""

    fully_connected: bool = False  # True in all of them; a row's settings say so

    def model(self) -> nn.Module:
        network = super().model()
        *body, head, _, flatten = network.layers
        network.layers = nn.Sequential(*body, flatten, nn.Linear(4 * head.in_channels, NUM_CLASSES))  # of 2x2 maps
        return network


def make_recipe(settings: Mapping[str, object]) -> Recipe:
    """Returns the recipe of these settings, which may be one that only this comparison needs."""
    if settings.get("network") == "sprint":
        return SprintRecipe(**settings)
    kinds = {
        "pool_last": PoolLast,
        "fully_connected": FullyConnected,
        "crop": Cropped,
        "tied": Tied,
        "factored": Factored,
        "teachers": Taught,
        "stages": ConvNetRecipe,
    }
    kind = next((kind for setting, kind in kinds.items() if setting in settings), Recipe)
    return kind(**settings)


# The lesson's network as a `ConvNet`, whose layers can be changed. Two epochs show the differences and leave time for
# many variants and several seeds of each.
LESSON = {name: value for name, value in vars(RECIPES["lesson"]).items() if name != "network"}
OURS = ConvNetRecipe(**LESSON | LESSON_LAYERS | {"num_epochs": 2})

# The changes by topic; the topics are those of the course.
CHANGES: dict[str, dict[str, dict]] = {
    "layers": {
        "3 convolutions": {"stages": (((8, 4),), (16,), (24,)), "unpadded": (0, -1)},
        "4 convolutions": {"stages": (((8, 4),), (16,), (24, 24))},
        "8 convolutions": {"stages": (((8, 4),), (16, 16, 16), (16, 16, 24, 24))},
    },
    "max pooling": {
        "one later": {"stages": (((8, 4), 16), (16, 16), (24, 24))},
        "close to the output": {"stages": (((8, 4),), (16, 16, 16, 24), (24,))},
        "strides instead": {"stages": (((8, 4, 2), 16, (16, 3, 2), 16, 24, 24),)},
    },
    "kernels": {
        "1x1 in place of two 3x3": {"stages": (((8, 4),), (16, (16, 1)), (16, (24, 1), 24)), "unpadded": (0, -1)},
        "first 3x3": {"stages": ((8,), (16, 16), (16, 24, 24))},
        "first 7x7": {"stages": (((8, 7),), (16, 16), (16, 24, 24))},
    },
    "channels": {
        "half as many": {"stages": (((4, 4),), (8, 8), (8, 12, 12))},
        "twice as many": {"stages": (((16, 4),), (32, 32), (32, 48, 48))},
    },
    "transition": {
        "1x1 before each pooling": {"stages": (((16, 4), (8, 1)), (16, 16, (8, 1)), (16, 24, 24))},
        "1x1 after each pooling": {"stages": (((16, 4),), ((8, 1), 16, 16), ((8, 1), 16, 24, 24))},
    },
    "end of the convolutions": {
        "at 6x6": {"unpadded": (0,)},
        "at 4x4": {"unpadded": (0, -1)},
        "one 6x6 kernel": {"stages": (((8, 4),), (16, 16), (16, (16, 6))), "unpadded": (0, -1)},
    },
    "head": {"fully connected": {"fully_connected": True}},
    "batch norm": {
        "none": {"num_norms": 0},
        "none, learning rate 0.02": {"num_norms": 0, "lr": 0.02},
        "first three convolutions": {"num_norms": 3},
        "after the output too": {"num_norms": 7},
        "before the pooling": {"pool_last": True},
    },
    "normalization": {
        "pixels of 0 to 1": {"normalize": (0.0, 1.0)},
        "pixels of 0 to 255": {"normalize": (0.0, 1 / 255)},
    },
    "dropout": {"none": {"dropout": 0.0}, "0.2": {"dropout": 0.2}, "0.5": {"dropout": 0.5}},
    "learning rate": {
        "0.003": {"lr": 0.003},
        "0.01": {"lr": 0.01},
        "0.03": {"lr": 0.03},
        "0.3": {"lr": 0.3},
        "1.0": {"lr": 1.0},
        "0.1 throughout": {"cycle": 0},
        "0.01 throughout": {"cycle": 0, "lr": 0.01},
    },
    "batch size": {
        "32": {"batch_size": 32},
        "512": {"batch_size": 512},
        "2048": {"batch_size": 2048},
        "2048, learning rate 0.8": {"batch_size": 2048, "lr": 0.8},
    },
    "augmentation": {
        "none": {"degrees": 0, "shift": 0, "scale": 0, "shear": 0},
        "twice as strong": {"degrees": 12, "shift": 2, "scale": 0.16, "shear": 6},
    },
    "optimizer": {"Muon": {"muon_lr": 0.05, "lr": 0.05}},
}

VARIANTS: dict[str, Recipe] = {
    "ours": OURS,
    **{
        f"{topic}: {label}": make_recipe(vars(OURS) | change)
        for topic, labels in CHANGES.items()
        for label, change in labels.items()
    },
}
