"""Grades of networks that are known, and what cannot be graded."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.model import BaselineNet, ConvNet
from helpers.recipes import RECIPES
from helpers.scorecard import grade_targets, grade_techniques, record
from helpers.train import History, Score


def verdicts(model):
    return {line.criterion: line.passed for line in grade_techniques(model)}


def test_our_network_passes_everything():
    assert all(verdicts(RECIPES["notebook"].model()).values())


def test_functional_layers_count():
    """The baseline's batch norm and dropout are functions, not modules."""
    assert all(verdicts(BaselineNet()).values())
    assert not verdicts(BaselineNet(dropout=0))["dropout"]


def test_what_is_missing_is_found():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(100, 10),
    )
    assert verdicts(model) == {
        "convolutions with padding": False,
        "convolutions without padding": True,
        "1x1 convolution": False,
        "batch norm": False,
        "dropout": False,
        "max pooling twice": True,
        "max pooling not near the output": False,
        "global average pooling or FC": True,
    }


class Written(nn.Module):
    """Uses functions by keyword, and the mean as global average pooling."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(10, 1, 3, 3))

    def forward(self, x):
        x = F.dropout(F.max_pool2d(F.conv2d(x, self.weight, padding="same"), 2), p=0.5, training=self.training)
        return x.mean(dim=(2, 3))


def test_functions_by_keyword():
    lines = verdicts(Written())
    assert lines["convolutions with padding"] and lines["dropout"] and lines["global average pooling or FC"]
    assert not lines["convolutions without padding"]


def test_grading_leaves_model_and_random_source_alone():
    model = ConvNet([[4], [4]], dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    model.eval()
    grade_techniques(model)
    assert not model.training and torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


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
        (nn.Linear(784, 10), r"fails on images of shape \(2, 1, 28, 28\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 26)), r"logits of shape \(2, 10\) for two images, got \(2, 26\)"),
        (nn.Conv2d(1, 10, 3), r"got \(2, 10, 26, 26\)"),
        (Broken(float("nan")), "not finite"),
        (Frozen(), "trains nothing"),
        (Broken(0.0), "trains nothing: the gradient of every parameter is zero"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False), "trains nothing"),
    ],
)
@pytest.mark.fault("network that cannot be graded", "error")
def test_what_cannot_be_graded_is_explained(model, message):
    with pytest.raises(ValueError, match=message):
        record(model)


@pytest.mark.parametrize(
    "correct, epochs, passed",
    [(9940, 19, [True, True, True]), (9939, 19, [False, True, True]), (9950, 20, [True, True, False])],
)
def test_targets_hold_at_their_limits(correct, epochs, passed):
    scores = [Score(0.1, 0, 10000)] * (epochs - 1) + [Score(0.02, correct, 10000)]
    lines = grade_targets(ConvNet([[4]]), History(scores, scores, [1.0] * epochs))
    assert [line.passed for line in lines] == passed
    assert not grade_targets(BaselineNet(), History(scores, scores))[1].passed


def test_an_untrained_network_fails():
    assert [line.passed for line in grade_targets(ConvNet([[4]]), History())] == [False, True, False]
