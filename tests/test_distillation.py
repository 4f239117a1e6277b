"""A network taught by others."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.data import Batches, Split
from helpers.distillation import TaughtBatches
from helpers.train import train_epoch


def test_labels_are_the_mean_logits_for_the_images_as_augmented(mnist):
    split = Split(mnist[0].images[:60], mnist[0].labels[:60])
    batches = [Batches(split, 25, 30, 60, shuffle=True, augment=lambda x, generator: x.roll(3, -1)) for _ in range(2)]
    teachers = [nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval() for _ in range(2)]
    taught = TaughtBatches(batches[0], teachers)
    assert len(taught) == 3
    for (images, logits), (expected, _) in zip(taught, batches[1], strict=True):
        assert torch.equal(images, expected) and not logits.requires_grad
        torch.testing.assert_close(logits, (teachers[0](images) + teachers[1](images)) / 2)


def test_a_network_learns_its_teachers_logits():
    images, teacher = torch.randn(256, 1, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    with torch.no_grad():
        batches = [(images, teacher(images))]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), 2.0, momentum=0.9)
    scores = [train_epoch(model, batches, optimizer, loss_function=F.mse_loss) for _ in range(100)]
    assert scores[-1].loss < 1e-4 < 0.1 < scores[0].loss and scores[-1].accuracy > 95 > scores[0].accuracy
