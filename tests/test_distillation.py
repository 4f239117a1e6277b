"""A network taught by others."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.data import Batches, Split
from helpers.distillation import TaughtBatches
from helpers.train import train_epoch


def linear_net() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()


def test_teachers_see_the_images_as_augmented_and_the_loss_is_against_their_mean_logits(mnist):
    split = Split(mnist[0].images[:60], mnist[0].labels[:60])
    batches = [Batches(split, 25, 30, 60, shuffle=True, augment=lambda x, generator: x.roll(3, -1)) for _ in range(2)]
    teachers = [linear_net() for _ in range(2)]
    taught = TaughtBatches(batches[0], teachers)
    assert len(taught) == 3
    for (images, labels), (expected, expected_labels) in zip(taught, batches[1], strict=True):
        assert torch.equal(images, expected) and torch.equal(labels, expected_labels)
        logits, student = (teachers[0](images) + teachers[1](images)) / 2, torch.randn(len(images), 10)
        loss = taught.loss(student, labels)
        torch.testing.assert_close(loss, F.mse_loss(student, logits.detach()))
        assert not loss.requires_grad


def test_a_network_learns_its_teachers_logits(mnist):
    batches = Batches(Split(mnist[0].images[:256], mnist[0].labels[:256]), 128, 0.13, 0.31)
    taught, model = TaughtBatches(batches, [linear_net()]), linear_net()
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    scores = [train_epoch(model, taught, optimizer, loss_function=taught.loss) for _ in range(60)]
    assert scores[-1].loss < 0.1 * scores[0].loss
