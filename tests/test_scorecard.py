"""Grades of networks that are known, and what cannot be graded."""

import re
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune
from torchsummary import summary

from helpers.beyond.conv_net import ConvNet
from helpers.beyond.recipes import ALL_RECIPES
from helpers.model import BaselineNet
from helpers.own_network.receptive_field import receptive_field
from helpers.own_network.scorecard import Line, count_used, grade_targets, grade_techniques
from helpers.train import History, Score
from tests.networks import NETWORKS, Net


def lines_of(model: nn.Module) -> dict[str, Line]:
    return {line.criterion: line for line in grade_techniques(model)}


@pytest.mark.parametrize("name", NETWORKS)
def test_lines_of_students_networks(name):
    network = NETWORKS[name]
    model = network.make()
    lines = lines_of(model)
    assert {criterion for criterion, line in lines.items() if line.passed is False} == network.fails
    assert {criterion for criterion, line in lines.items() if line.passed is None} == network.notes
    for criterion, reason in network.says.items():
        assert reason in lines[criterion].reason
    count, reason = count_used(model)
    assert reason.startswith(f"{count:,}") and network.parameters in reason
    assert network.parameters or (reason == f"{count:,}" and count == sum(p.numel() for p in model.parameters()))


def test_there_is_a_network_for_each_line():
    lines = set(lines_of(ALL_RECIPES["lesson"].model()))
    assert lines == set().union(*(network.fails for network in NETWORKS.values()))
    assert len(NETWORKS) >= 40


def test_our_network_passes_everything():
    for model in (ALL_RECIPES["lesson"].model(), BaselineNet()):
        assert all(line.passed for line in grade_techniques(model))
    assert not lines_of(BaselineNet(dropout=0))["dropout"].passed


def test_grading_leaves_model_and_random_source_alone():
    model = ConvNet([[4], [4]], dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    model.eval()
    grade_techniques(model)
    assert not model.training and torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_network_may_keep_maps_and_have_weights_that_are_computed():
    def keep(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        model.maps = model.conv(x)
        return model.maps.mean((2, 3))

    model = Net(keep, conv=nn.Conv2d(1, 10, 3))
    expected = lines_of(model)
    prune.l1_unstructured(model.conv, "weight", 0.5)
    model(torch.zeros(2, 1, 28, 28))
    kept = model.maps
    assert lines_of(model) == expected and model.maps is kept and kept.requires_grad


class Frozen(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10]


class Broken(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.head, self.value = nn.Linear(784, 10), value

    def forward(self, x):
        return self.head(x.flatten(1)) * self.value


@pytest.mark.parametrize(
    "model, message",
    [
        (nn.Linear(784, 10), r"the network fails on an input of shape \(2, 1, 28, 28\).*flatten .* in_features=784"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 26)), r"logits of shape \(2, 10\) for two images, got \(2, 26\)"),
        (nn.Conv2d(1, 10, 3), r"got \(2, 10, 26, 26\): flatten or average its maps"),
        (
            Net(lambda s, x: s.conv(x).view(-1, 10), conv=nn.Conv2d(1, 10, 27)),
            r"got \(8, 10\): a map is larger than 1x1",
        ),
        (Net(lambda s, x: [1]), "must return logits, got list"),
        (Net, r"Net is a class: give an instance of it, such as Net\(\)"),
        ("Net()", "must be an nn.Module, got str"),
        (nn.Sequential(nn.Conv2d(3, 8, 3)), r"layer 0, Conv2d\(3, 8.*give it in_channels=1"),
        (
            nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
            "layer 1 is lazy and has no weights yet: run the network once",
        ),
        (torch.jit.script(nn.Flatten()), "a scripted network cannot be read"),
        (Broken(float("nan")), "not finite"),
        (Broken(i for i in range(2)), "cannot be copied: it must keep layers and numbers only"),
        (
            Net(lambda s, x: torch.from_numpy(x.flatten(1).numpy()[:, :10])),
            "does not come from the image, or leaves torch",
        ),
        (Net(lambda s, x: x.new_zeros(2, 10)), "does not come from the image"),
        (Net(lambda s, x: x.new_ones(2, 10)), "does not come from the image"),
        (Frozen(), "trains nothing"),
        (Broken(0.0), "trains nothing: the gradient of every parameter is zero"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False), "trains nothing"),
    ],
)
@pytest.mark.fault("network that cannot be graded", "error")
def test_what_cannot_be_graded_is_explained(model, message):
    with pytest.raises(ValueError, match=message):
        grade_techniques(model)


def test_operators_that_are_called_themselves_count_as_functions():
    """As in a network that was exported."""

    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = torch.ops.aten.conv2d.default(x, model.conv.weight, model.conv.bias)
        x = torch.ops.aten.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, True)
        return torch.ops.aten.dropout.default(x, 0.3, True).mean((2, 3))

    lines = lines_of(Net(forward, conv=nn.Conv2d(1, 10, 3)))
    assert [lines[name].reason for name in ("batch norm", "dropout")] == ["once", "rates [0.3]"]
    assert lines["dropout stays on in eval mode"].reason.startswith("dropout: give it training=")
    assert lines["bias before batch norm"].reason.startswith("conv2d: the norm takes it away, bias=False saves 10")


def test_filters_may_be_convolutions_of_smaller_ones():
    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, F.conv2d(model.large, model.small, padding=1)).mean((2, 3))

    model = Net(forward, large=nn.Parameter(torch.randn(10, 1, 2, 2)), small=nn.Parameter(torch.randn(1, 1, 2, 2)))
    assert lines_of(model)["convolutions without padding"].reason.startswith("1 of 1 convolutions")


def test_logits_that_do_not_see_the_image_are_graded():
    model = Net(lambda s, x: (s.logits.expand(len(x), 10), x), logits=nn.Parameter(torch.ones(1, 10)))
    assert lines_of(model)["global average pooling or FC"] == Line("global average pooling or FC", False, "neither")


@pytest.mark.parametrize(
    "correct, epochs, passed",
    [(9940, 19, [True, True, True]), (9939, 19, [False, True, True]), (9950, 20, [True, True, False])],
)
def test_targets_hold_at_their_limits(correct, epochs, passed):
    scores = [Score(0.1, 0, 10000)] * (epochs - 1) + [Score(0.02, correct, 10000)]
    lines = grade_targets(ConvNet([[4]]), History(scores, scores, [1.0] * epochs))
    assert [line.passed for line in lines] == passed
    assert not grade_targets(BaselineNet(), History(scores, scores))[1].passed


@pytest.mark.parametrize(("count", "passed"), [(19_999, True), (20_000, False)])
def test_twenty_thousand_parameters_are_too_many(count, passed):
    model = Net(lambda s, x: s.head(x.flatten(1)) + s.rest.mean(), head=nn.Linear(784, 10))
    model.rest = nn.Parameter(torch.ones(count - 7850))
    assert grade_targets(model, History())[1] == Line("fewer than 20,000 parameters", passed, f"{count:,}")


def test_an_untrained_network_fails():
    assert [line.passed for line in grade_targets(ConvNet([[4]]), History())] == [False, True, False]


def test_torchsummary_counts_reused_layers_as_it_is_said(capsys):
    summary(NETWORKS["tied"].make(), (1, 28, 28), device="cpu")
    (total,) = re.findall(r"Total params: ([\d,]+)", capsys.readouterr().out)
    assert f"torchsummary shows {total}," in count_used(NETWORKS["tied"].make())[1]


def test_frozen_parameters_count_and_unused_ones_do_not():
    used = nn.Linear(784, 10)
    used.bias.requires_grad_(False)
    model = Net(lambda s, x: s.used(x.flatten(1)), used=used, unused=nn.Linear(784, 20))
    line = grade_targets(model, History())[1]
    assert line.passed and line.reason == "7,850, 10 of them frozen; without 15,700 that are never used: delete unused"
    assert not grade_targets(nn.Sequential(nn.Flatten(), nn.Linear(784, 26), nn.Linear(26, 10)), History())[1].passed


@pytest.mark.parametrize(("loss", "hinted"), [(2.303, True), (2.35, True), (1.9, False), (2.6, False)])
def test_a_loss_that_stays_at_guessing_gets_a_hint(loss, hinted):
    score = Score(loss, 1135, 10000)
    line = grade_targets(ConvNet([[4]]), History([score], [score], [1.0]))[0]
    assert ("near 2.30" in line.reason) == hinted and not line.passed


def conv(*arguments, **options) -> nn.Conv2d:
    return nn.Conv2d(*arguments, **options)


class Twice(nn.Module):
    """One convolution with a bias before two batch norms, and a parameter of the network's own."""

    def __init__(self):
        super().__init__()
        self.first, self.again = conv(1, 10, 3, padding=1), conv(10, 10, 3, padding=1)
        self.norms, self.scale = nn.ModuleList([nn.BatchNorm2d(10), nn.BatchNorm2d(10)]), nn.Parameter(torch.ones(1))

    def forward(self, x):
        x = self.first(x)
        for norm in self.norms:
            x = norm(self.again(x))
        return x.mean((2, 3)) * self.scale


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.conv, self.norm = conv(1, 10, 3), conv(10, 10, 3, padding=1), nn.BatchNorm2d(10)
        self.drop = nn.Dropout(0.1, inplace=True)

    def forward(self, x):
        x = self.first(x)
        return (x + self.drop(self.norm(self.conv(x)))).mean((2, 3))


class Sequence(nn.Module):
    """Rows or patches of the image as a sequence, and a linear layer at its end."""

    def __init__(self, kind: str):
        super().__init__()
        self.patches = conv(1, 16, 7, stride=7)
        if kind == "LSTM":
            self.mix = nn.LSTM(16, 16, batch_first=True)
        elif kind == "attention":
            self.mix = nn.MultiheadAttention(16, 2, dropout=0.25, batch_first=True)
        else:
            self.mix = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.last = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.mix(x, x, x, need_weights=False) if isinstance(self.mix, nn.MultiheadAttention) else self.mix(x)
        return self.last((x[0] if isinstance(x, tuple) else x).mean(1))


class Gated(nn.Module):
    """Two poolings, after the second only a gate and a 1x1 convolution behind the global average."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.gate, self.last = conv(1, 8, 3), conv(8, 8, 3), conv(8, 8, 1), conv(8, 10, 1)

    def forward(self, x):
        x = F.max_pool2d(self.second(F.max_pool2d(self.first(x), 2)), 2)
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return self.last(F.adaptive_avg_pool2d(x, 1)).flatten(1)


def chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten())


HEAD, NEAR = "global average pooling or FC", "max pooling not near the output"
LINES = {
    "dropout in place": (
        lambda: chain(conv(1, 10, 3), nn.Dropout(0.1, True), nn.AdaptiveAvgPool2d(1)),
        HEAD,
        True,
        "26x26",
    ),
    "dropout in place in a branch": (Branch, "batch norm", True, "once"),
    "attention's dropout": (lambda: Sequence("attention"), "dropout", True, "rates [0.25]"),
    "a linear layer after a transformer": (lambda: Sequence("transformer"), HEAD, True, "1 fully connected"),
    "a linear layer after an LSTM": (lambda: Sequence("LSTM"), HEAD, True, "1 fully connected"),
    "a depthwise convolution of the whole map": (
        lambda: chain(conv(1, 10, 3, stride=14), conv(10, 10, 3, padding=1, stride=2, groups=10)),
        HEAD,
        False,
        "neither",
    ),
    "a 1x1 convolution after it": (
        lambda: chain(conv(1, 8, 3, stride=14), conv(8, 8, 2, groups=8), conv(8, 10, 1)),
        HEAD,
        True,
        "1 fully connected",
    ),
    "an average of 28x24": (lambda: chain(conv(1, 10, (1, 5)), nn.AdaptiveAvgPool2d(1)), HEAD, True, "whole 28x24 map"),
    "a pooling of 3x3 with stride 2": (
        lambda: chain(conv(1, 8, 3, stride=9), nn.MaxPool2d(3, 2), conv(8, 10, 1)),
        "max pooling twice",
        False,
        "once",
    ),
    "its head": (
        lambda: chain(conv(1, 8, 3, stride=9), nn.MaxPool2d(3, 2), conv(8, 10, 1)),
        HEAD,
        True,
        "1 fully connected",
    ),
    "a bias that is used twice": (Twice, "bias before batch norm", None, "saves 10"),
    "a pooling before a gate and the head": (Gated, NEAR, False, "0 convolutions after the last one"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_of_networks_that_were_misjudged(name):
    make, criterion, passed, reason = LINES[name]
    line = lines_of(make())[criterion]
    assert line.passed is passed and reason in line.reason


def test_a_padded_layer_that_saw_the_whole_map_gives_no_border_to_the_next():
    model = chain(conv(1, 4, 14, stride=14), conv(4, 8, 3, stride=2, padding=1), conv(8, 10, 1))
    assert "1x1 convolution with padding" not in lines_of(model)


def test_maps_of_one_position_are_added_as_they_are():
    """As in a ResNet of 28 pixels, where a padded convolution sees all of a map of 1x1."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = conv(1, 10, 5, stride=28), conv(10, 10, 3, padding=1)

        def forward(self, x):
            x = self.first(x)
            return (x + self.second(x)).flatten(1)

    assert next(layer.receptive_field for layer in receptive_field(Residual())) == 5
    assert lines_of(Residual())[HEAD].criterion == HEAD


def test_torchsummary_shows_what_is_said_beside_parameters_of_the_networks_own(capsys):
    model = Twice()
    summary(model, (1, 28, 28), device="cpu")
    shown = re.search(r"Total params: ([\d,]+)", capsys.readouterr().out)[1]
    assert f"torchsummary shows {shown}, for it counts again each time" in count_used(model)[1]


class Tokens(nn.Module):
    """Attention with a class token, and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.cls, self.again = nn.Parameter(torch.zeros(1, 1, 16)), nn.Linear(16, 16)
        self.patches, self.attention = nn.Conv2d(1, 16, 7, stride=7), nn.MultiheadAttention(16, 2, batch_first=True)
        self.last = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.again(self.again(torch.cat([self.cls.expand(len(x), -1, -1), x], 1)))
        return self.last(self.attention(x, x, x)[0][:, 0])


def test_torchsummary_leaves_out_what_is_no_weight_or_bias_of_a_layer_that_is_called(capsys):
    model, count = Tokens(), count_used(Tokens())[1]
    summary(model, (1, 28, 28), device="cpu")
    total = re.search("Total params: ([0-9,]+)", capsys.readouterr().out)[1]
    assert f"torchsummary shows {total}, for it counts again each time that it is called and leaves out cls, " in count
    assert count.endswith(
        "attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.weight, attention.out_proj.bias"
    )


def test_an_output_with_logits_is_read_as_these():
    Output = namedtuple("Output", "hidden logits")

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.last = chain(conv(1, 10, 3), nn.AdaptiveAvgPool2d(1)), nn.Linear(10, 10)

        def forward(self, x):
            hidden = self.body(x)
            return (
                SimpleNamespace(hidden=hidden, logits=self.last(hidden))
                if self.plain
                else Output(hidden, self.last(hidden))
            )

    for plain in (True, False):
        model = Hidden()
        model.plain = plain
        assert "1 fully connected" in lines_of(model)[HEAD].reason
