"""Grades of networks that are known, and what cannot be graded."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint
from torchsummary import summary

from helpers.beyond.conv_net import ConvNet
from helpers.beyond.recipes import ALL_RECIPES
from helpers.model import BaselineNet, LessonNet
from helpers.own_network.receptive_field import receptive_field, table
from helpers.own_network.scorecard import Line, count_used, grade_targets, grade_techniques
from helpers.train import History, Score
from tests.networks import HEAD, NETWORKS, NORM, PADDED, UNPADDED, Net


def lines_of(model: nn.Module, size: int = 28) -> dict[str, Line]:
    return {line.criterion: line for line in grade_techniques(model, size)}


@pytest.mark.parametrize("name", NETWORKS)
def test_lines_of_students_networks(name):
    network = NETWORKS[name]
    model, size = network.make(), network.sizes[0]
    lines = lines_of(model, size)
    assert {criterion for criterion, line in lines.items() if line.passed is False} == network.fails
    assert {criterion for criterion, line in lines.items() if line.passed is None} == network.notes
    for criterion, reason in network.says.items():
        assert reason in lines[criterion].reason
    count, reason = count_used(model, size)
    assert reason.startswith(f"{count:,}") and network.parameters in reason
    assert network.parameters or (reason == f"{count:,}" and count == sum(p.numel() for p in model.parameters()))


def test_a_convolution_along_the_channels_is_none_of_the_image():
    def forward(model: Net, x: torch.Tensor) -> torch.Tensor:
        x = model.first(x)
        weights = model.gate(x.mean((2, 3))[:, None]).sigmoid()
        return (x * weights[:, 0, :, None, None]).mean((2, 3))

    lines = lines_of(Net(forward, first=nn.Conv2d(1, 10, 3), gate=nn.Conv1d(1, 1, 3, padding=1)))
    assert [lines[name].reason[:6] for name in (PADDED, UNPADDED)] == ["0 of 1", "1 of 1"]


def test_a_1x1_convolution_of_a_flattened_map_leaves_it_a_map():
    maps = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(2), nn.Conv1d(4, 10, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    assert lines_of(maps)[HEAD].reason == "the average of the whole 26x26 map"


@pytest.mark.parametrize("last", [nn.AvgPool2d(4, padding=1), nn.Conv2d(8, 10, 4, 4, 1)], ids=str)
def test_a_padded_window_that_misses_a_part_is_none_of_the_whole_map(last):
    layers = nn.Conv2d(1, 8, 7, 7), nn.ReLU(), last, nn.Flatten(), nn.LazyLinear(10)
    model = nn.Sequential(*layers)
    model(torch.rand(2, 1, 28, 28))
    assert "whole 4x4 map" not in lines_of(model)[HEAD].reason
    assert "from the whole map" not in table(receptive_field(model)).splitlines()[2]


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda s, x: s.last(x.flatten(1)).argmax(1), "return the logits, not the digit: leave argmax out"),
        (lambda s, x: None, "forward returns nothing, end it with a return"),
        (lambda s, x: s.last(x.view(4, -1)), "keep the number of images, here 2, first, as view"),
    ],
)
def test_what_a_forward_gets_wrong_is_said(forward, message):
    with pytest.raises(ValueError, match=message):
        grade_techniques(Net(forward, last=nn.Linear(784, 10)))


def test_gradients_that_run_a_layer_again_count_it_once():
    def forward(model: Net, x: torch.Tensor, reentrant: bool) -> torch.Tensor:
        maps = checkpoint(model.inner, model.first(x), use_reentrant=reentrant)
        return maps.mean((2, 3))

    for reentrant in (False, True):
        parts = {"first": nn.Conv2d(1, 4, 3), "inner": nn.Conv2d(4, 10, 3)}
        model = Net(lambda s, x, reentrant=reentrant: forward(s, x, reentrant), **parts)
        assert count_used(model) == (410, "410") and not lines_of(model)[NORM].passed


def test_there_is_a_network_for_each_line():
    """It lacks nothing else."""
    lines = set(lines_of(ALL_RECIPES["lesson"].model()))
    assert lines == set().union(*(network.fails for network in NETWORKS.values() if len(network.fails) == 1))


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
    assert lines["random in eval mode, too"].reason.startswith("dropout: give it training=")
    assert lines["bias before batch norm"].reason.startswith("conv2d: the norm takes it away, bias=False saves 10")


def test_filters_may_be_convolutions_of_smaller_ones():
    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, F.conv2d(model.large, model.small, padding=1)).mean((2, 3))

    model = Net(forward, large=nn.Parameter(torch.randn(10, 1, 2, 2)), small=nn.Parameter(torch.randn(1, 1, 2, 2)))
    assert lines_of(model)["convolutions without padding"].reason == "1 of 1 larger than 1x1"


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


@pytest.mark.parametrize("name", [name for name in NETWORKS if "torchsummary" in NETWORKS[name].parameters])
def test_torchsummary_shows_what_is_said(capsys, name):
    model = NETWORKS[name].make()
    summary(model, (1, 28, 28), device="cpu")
    (total,) = re.findall(r"Total params: ([\d,]+)", capsys.readouterr().out)
    assert f"torchsummary shows {total}, for it counts " in count_used(model)[1]


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_network_of_any_precision_is_graded(dtype):
    assert lines_of(LessonNet().to(dtype))["batch norm"].passed
