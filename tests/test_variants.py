"""The variants of notebook 3, and networks that learn from the answers of others, of which notebook 4 tells."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from helpers.beyond.recipes import ConvNetRecipe
from helpers.data import Batches, Split
from helpers.model import count_parameters
from helpers.train import train_epoch
from measure import tried
from measure.results import read_results
from measure.tried import Taught, TaughtBatches
from measure.variants import VARIANTS

TOY = ConvNetRecipe(stages=((4,), (8,)), num_epochs=1, lr=0.05, batch_size=50, shift=1)


@pytest.fixture
def few(mnist):
    return Split(*(values[:100] for values in mnist[0]))


class Fixed(nn.Module):
    """A teacher that gives each image the same logits, and keeps the images that it saw."""

    def __init__(self, *logits):
        super().__init__()
        self.logits, self.seen = torch.tensor(logits).log(), []

    def forward(self, images):
        self.seen.append(images)
        return self.logits.repeat(len(images), 1)


def test_targets_are_the_labels_mixed_with_the_teachers_mean_answer(few):
    teachers = [Fixed(*[0.5, 0.5] + [1e-9] * 8), Fixed(*[0.1] * 10)]
    batches = TOY.train_batches(few, 0.13, 0.31, seed=0, device="cpu")
    taught = TaughtBatches(TOY.train_batches(few, 0.13, 0.31, seed=0, device="cpu"), teachers, 0.25)
    mean = torch.tensor([0.3, 0.3] + [0.05] * 8)
    assert len(taught) == 2
    for (images, labels), (same, targets) in zip(batches, taught, strict=True):
        assert torch.equal(images, same) and all(torch.equal(images, teacher.seen.pop()) for teacher in teachers)
        assert torch.allclose(targets, 0.75 * nn.functional.one_hot(labels, 10) + 0.25 * mean, atol=1e-6)
        assert not targets.requires_grad


def test_without_a_share_it_is_training_by_labels(few):
    def trained(wrap):
        model, batches, *others = TOY.set_up(few, 0.13, 0.31, seed=0, device="cpu")
        return train_epoch(model, wrap(batches), *others), model.state_dict()

    score, weights = trained(lambda batches: batches)
    same_score, same_weights = trained(lambda batches: TaughtBatches(batches, [Fixed(*[0.1] * 10)], 0.0))
    assert same_score.correct == score.correct and same_score.loss == pytest.approx(score.loss, abs=1e-6)
    assert all(torch.allclose(same_weights[name], weights[name], atol=1e-5) for name in weights)


def test_teachers_are_trained_on_the_same_images_with_seeds_of_their_own(few, monkeypatch):
    made = []
    own_digits = replace(TOY, num_epochs=3)
    monkeypatch.setattr(tried, "ALL_RECIPES", {"own_digits": own_digits})
    set_up = ConvNetRecipe.set_up
    monkeypatch.setattr(ConvNetRecipe, "set_up", lambda self, *args: made.append((self, *args)) or set_up(self, *args))
    recipe = Taught(**vars(TOY), teachers=2)
    model, batches, *_ = recipe.set_up(few, 0.13, 0.31, 7, "cpu")
    assert [(one, seed) for one, _, _, _, seed, _ in made] == [(own_digits, 1007), (own_digits, 2007), (recipe, 7)]
    assert all(split is few for _, split, *_ in made)
    alone = TOY.set_up(few, 0.13, 0.31, 7, "cpu")[0].state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in model.state_dict().items())  # it starts as without
    first, second = batches.teachers
    assert (
        batches.share == 0.5 and not first.training and not torch.equal(first.layers[0].weight, second.layers[0].weight)
    )
    means = [
        next(module.num_batches_tracked for module in one.modules() if isinstance(module, nn.BatchNorm2d))
        for one in (first, second)
    ]
    assert means == [6, 6]  # three epochs of two batches


def test_a_checkpoint_knows_where_taught_batches_stand(few):
    taught, other = (
        TaughtBatches(Batches(few, 50, 0.13, 0.31, shuffle=True, seed=seed), [Fixed(*[0.1] * 10)], 0.5)
        for seed in (0, 1)
    )
    list(taught)
    other.load_state_dict(taught.state_dict())
    assert all(torch.equal(one, two) for one, two in zip(next(iter(taught)), next(iter(other))))


def test_each_variant_gives_logits_and_has_the_parameters_of_its_rows(few):
    images = few.images[:2, None] / 255
    for row in read_results("variants", "validation"):
        model = VARIANTS[row["recipe"]].model().eval()
        assert model(images).shape == (2, 10) and count_parameters(model) == int(row["parameters"]), row["recipe"]
