"""Receptive fields of networks as students write them, and of random ones, against fields measured by gradients."""

import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.beyond.recipes import ALL_RECIPES
from helpers.own_network.receptive_field import receptive_field, table, views
from helpers.own_network.scorecard import grade_techniques
from helpers.own_network.trace import trace
from tests.measured_field import measured_fields, reached_rows
from tests.networks import NETWORKS, Net


def fields_of(model: nn.Module, input_size: int = 28) -> list[int]:
    """Returns the fields of all layers but the one that sees the whole map."""
    sizes, layers = [input_size], receptive_field(model, input_size)
    sizes += [layer.output_size for layer in layers]
    whole = [layer.output_size == 1 and layer.kernel >= size for layer, size in zip(layers, sizes)]
    assert True not in whole[:-1]
    return [layer.receptive_field for layer, ends in zip(layers, whole) if not ends]


@pytest.mark.parametrize("name", NETWORKS)
def test_fields_of_students_networks_are_those_measured(name):
    network = NETWORKS[name]
    model = network.make()
    if not network.not_followed:
        assert measured_fields(model)[: len(network.fields)] == network.fields
    for size in network.sizes:
        if network.not_followed:
            with pytest.raises(ValueError, match=network.not_followed):
                receptive_field(model, size)
        else:
            assert fields_of(model, size) == network.fields


@pytest.mark.parametrize("name", [name for name in NETWORKS if not NETWORKS[name].not_followed])
def test_each_row_of_a_map_sees_the_rows_of_the_image_from_which_a_nan_reaches_it(name):
    """In images of 28 and of 32 pixels; at their borders, it may see less."""
    network = NETWORKS[name]
    model = network.make()
    for size in network.sizes:
        seen_by = views(trace(model, input_size=size))
        layers = [view.axes[0] for call, view in seen_by.items() if call.kind in ("conv", "max_pool2d", "avg_pool2d")]
        tables = reached_rows(model, size)
        assert len(tables) >= len(network.fields)
        for axis, reached in zip(layers, tables[: len(network.fields)]):
            assert reached.shape == (size, axis.size)
            for place in range(axis.size):
                rows = reached[:, place].nonzero().flatten().tolist()
                first = axis.start + place * axis.jump
                last = first + axis.field - 1
                if first >= 0 and last < size:
                    assert (rows[0], rows[-1]) == (first, last)
                elif name != "circular":  # where a border shows rows of the other side
                    assert all(first <= row <= last for row in rows)


def call(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return module(x)


class RandomChain(nn.Module):
    """A chain of random layers: declared in another order than they are called in, some reused, some functions."""

    def __init__(self, generator: random.Random):
        super().__init__()
        self.steps: list[tuple[nn.Module, Callable]] = []  # a function of a module and of the maps before it
        size, channels = 28, 1
        for _ in range(generator.randint(2, 8)):
            kind = generator.choice(["conv", "conv", "conv", "pool", "pool", "reused", "pad", "norm", "activation"])
            channels = self.add(kind, size, channels, generator) or channels
            with torch.no_grad():
                size = self(torch.zeros(2, 1, 28, 28)).shape[-1]
        declared = [nn.Conv2d(7, 7, 7)]  # left over
        declared += {id(module): module for module, _ in self.steps}.values()
        generator.shuffle(declared)
        self.layers = nn.ModuleList(declared)
        self.places = [([module is x for x in declared].index(True), function) for module, function in self.steps]
        self.steps = None

    def add(self, kind: str, size: int, channels: int, generator: random.Random) -> int | None:
        """Adds a layer; returns the new number of channels if it has one."""
        kernel, stride = generator.choice([1, 2, 3, 3, 5]), generator.choice([1, 1, 1, 2])
        dilation, padding = generator.choice([1, 1, 2]), generator.choice([0, 0, kernel // 2])
        extent = dilation * (kernel - 1) + 1
        if kind == "conv" and size + 2 * padding - extent >= 2 * stride:
            mode = generator.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
            padding = "same" if stride == 1 and generator.random() < 0.2 else padding
            width = generator.randint(1, 3)
            module = nn.Conv2d(channels, width, kernel, stride, padding, dilation, padding_mode=mode)
            function = call
            if mode == "zeros" and generator.random() < 0.4:

                def function(conv: nn.Module, x: torch.Tensor) -> torch.Tensor:
                    return F.conv2d(x, conv.weight, conv.bias, stride, padding, dilation)

            self.steps.append((module, function))
            return width
        if kind == "pool" and size >= 3 * kernel and kernel > 1:
            shape, ceil = (kernel, stride, generator.choice([0, kernel // 2])), generator.random() < 0.3
            module = generator.choice([nn.MaxPool2d, nn.AvgPool2d])(*shape, ceil_mode=ceil)
            as_function = F.max_pool2d if isinstance(module, nn.MaxPool2d) else F.avg_pool2d
            functions = [call, lambda _, x: as_function(x, *shape, ceil_mode=ceil)]
            self.steps.append((module, generator.choice(functions)))
        elif kind == "reused":
            earlier = [
                m for m, _ in self.steps if isinstance(m, nn.Conv2d) and m.in_channels == m.out_channels == channels
            ]
            earlier = [m for m in earlier if m.stride == (1, 1) and m.kernel_size[0] * m.dilation[0] < size]
            if earlier:
                self.steps += [(nn.ReLU(), call), (generator.choice(earlier), call)]
        elif kind == "pad":
            functions = [call, lambda _, x: F.pad(x, (1, 1, 1, 1), mode="replicate")]
            self.steps.append((generator.choice([nn.ZeroPad2d(1), nn.ReflectionPad2d(1)]), generator.choice(functions)))
        elif kind == "norm":
            modules = [
                nn.BatchNorm2d(channels),
                nn.GroupNorm(1, channels),
                nn.InstanceNorm2d(channels),
                nn.Dropout(0.1),
            ]
            self.steps.append((generator.choice(modules), call))
        elif kind == "activation":
            functions = [call, lambda _, x: x.tanh(), lambda _, x: torch.relu(x), lambda _, x: F.leaky_relu(x)]
            self.steps.append((generator.choice([nn.ReLU(), nn.SiLU(), nn.Hardswish()]), generator.choice(functions)))
        return None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = self.steps
        if steps is None:
            steps = [(self.layers[i], function) for i, function in self.places]
        for module, function in steps:
            x = function(module, x)
        return x


@pytest.mark.parametrize("block", range(4))
def test_fields_of_random_chains_are_those_measured(block):
    for seed in range(50 * block, 50 * block + 50):
        torch.manual_seed(seed)
        model = RandomChain(random.Random(seed))
        assert fields_of(model) == measured_fields(model), seed


@pytest.mark.parametrize("name", ALL_RECIPES)
def test_fields_of_our_networks_are_those_measured(name):
    model = ALL_RECIPES[name].model()
    assert fields_of(model) == measured_fields(model)[: len(fields_of(model))]
    last = receptive_field(model)[-1]
    assert last.output_size == 1 and last.receptive_field >= 28


def test_larger_images_have_larger_maps_and_the_same_fields():
    body = list(ALL_RECIPES["lesson"].model())[:-2]
    small, large = (receptive_field(nn.Sequential(*body), size) for size in (28, 45))
    assert [a._replace(output_size=0) for a in small] == [b._replace(output_size=0) for b in large]
    with torch.no_grad():
        assert large[-1].output_size == nn.Sequential(*body)(torch.zeros(2, 1, 45, 45)).shape[-1]


def test_the_table_names_what_sees_the_whole_map():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 13 * 13, 10))
    assert [layer.type for layer in receptive_field(model)] == ["Conv2d", "MaxPool2d", "Linear"]
    *rest, last = table(receptive_field(model)).splitlines()
    assert last.endswith("1x1, from the whole map") and not any("whole" in line for line in rest)


def test_a_network_may_take_one_image_after_the_other():
    model = Net(lambda s, x: torch.stack([s.conv(image).mean((1, 2)) for image in x]), conv=nn.Conv2d(1, 10, 3))
    assert [(layer.type, layer.channels, layer.receptive_field) for layer in receptive_field(model)] == [
        ("Conv2d", 10, 3),
        ("Mean", 10, 28),
    ] * 2


@pytest.mark.parametrize("conv2d", [torch.ops.aten.conv2d.default, torch.ops.aten.conv2d, torch.conv2d])
def test_layers_are_named_by_functions_and_not_by_operators(conv2d):
    model = Net(
        lambda s, x: torch.ops.aten.mean.dim(conv2d(x, s.weight), [2, 3]), weight=nn.Parameter(torch.ones(10, 1, 3, 3))
    )
    assert [(layer.name, layer.type) for layer in receptive_field(model)] == [("conv2d", "Conv2d"), ("mean", "Mean")]
    model.weight = nn.Parameter(torch.ones(10, 1, 3, 5))
    with pytest.raises(ValueError, match="layer conv2d: its kernel 3x5 is not square"):
        receptive_field(model)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [nn.Linear(784, 10)],
            r"layer 0, Linear.* shape \(2, 1, 28, 28\).*flatten its input, and give it in_features=784",
        ),
        ([nn.Conv2d(3, 8, 3)], "layer 0, Conv2d.*give it in_channels=1"),
        ([nn.Conv2d(1, 8, 3), nn.BatchNorm2d(4)], "layer 1, BatchNorm2d.*give it num_features=8"),
        ([nn.Conv2d(1, 1, 29)], "layer 0, Conv2d.*Kernel size can't be greater than actual input size"),
        ([nn.Conv2d(1, 1, (3, 5))], "layer 0: its kernel 3x5 is not square"),
        ([nn.AdaptiveAvgPool2d(3)], "layer 0: adaptive pooling from 28 to 3 has windows of two sizes"),
    ],
)
def test_layers_it_cannot_compute_are_named(layers, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(nn.Sequential(*layers))


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_the_mode_that_it_is_called_in_does_not_matter(mode):
    model = ALL_RECIPES["lesson"].model()
    expected = receptive_field(model)
    with mode():
        assert receptive_field(model) == expected and len(grade_techniques(model)) == 8
