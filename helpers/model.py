"""The two networks of the assignment: the given baseline and the one that the lesson trains."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_CLASSES = 10


class BaselineNet(nn.Module):
    """The assignment's starting point: 25,290 parameters, nine rows in torchsummary.

    Images (N, 1, 28, 28) -> logits (N, 10). Batch norm and dropout are functional, as given: they
    have no learnable parameters and no rows of their own. Running statistics are buffers, used in
    eval mode.

    Args:
        dropout: probability, after each max pooling.
    """

    def __init__(self, dropout: float = 0.1):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv3, self.conv4 = nn.Conv2d(8, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.pool2 = nn.MaxPool2d(2)
        self.conv5 = nn.Conv2d(32, 64, 3)
        self.conv6 = nn.Conv2d(64, NUM_CLASSES, 1)
        self.pool3 = nn.AvgPool2d(5)
        self.dropout = dropout
        for i, channels in enumerate([4, 8, 16, 32, 64], start=1):
            self.register_buffer(f"mean{i}", torch.zeros(channels))
            self.register_buffer(f"var{i}", torch.ones(channels))

    def _batch_norm(self, x: Tensor, i: int) -> Tensor:
        return F.batch_norm(x, self.get_buffer(f"mean{i}"), self.get_buffer(f"var{i}"), training=self.training)

    def forward(self, x: Tensor) -> Tensor:
        x = self._batch_norm(F.relu(self.conv1(x)), 1)  # (N, 4, 28, 28)
        x = self._batch_norm(F.relu(self.conv2(x)), 2)  # (N, 8, 28, 28)
        x = F.dropout(self.pool1(x), self.dropout, self.training)  # (N, 8, 14, 14)
        x = self._batch_norm(F.relu(self.conv3(x)), 3)  # (N, 16, 14, 14)
        x = self._batch_norm(F.relu(self.conv4(x)), 4)  # (N, 32, 14, 14)
        x = F.dropout(self.pool2(x), self.dropout, self.training)  # (N, 32, 7, 7)
        x = self._batch_norm(F.relu(self.conv5(x)), 5)  # (N, 64, 5, 5)
        return self.pool3(self.conv6(x)).flatten(1)  # (N, 10)


class LessonNet(nn.Sequential):
    """The network of notebook 2: 14,986 parameters, with every technique of the assignment.

    Images (N, 1, 28, 28) -> logits (N, 10).

    Args:
        dropout: probability of dropping a whole map before the last convolution. Single pixels are too similar to
            their neighbors (Tompson et al., arXiv:1411.4280).
    """

    def __init__(self, dropout: float = 0.05):
        super().__init__(
            nn.Conv2d(1, 8, 4, bias=False),  # (N, 8, 25, 25)
            nn.MaxPool2d(2),  # (N, 8, 12, 12)
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1, bias=False),  # (N, 16, 12, 12)
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, bias=False),  # (N, 16, 12, 12)
            nn.MaxPool2d(2),  # (N, 16, 6, 6)
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, bias=False),  # (N, 16, 6, 6)
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, bias=False),  # (N, 24, 4, 4)
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Conv2d(24, 24, 3, bias=False),  # (N, 24, 2, 2)
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(24, NUM_CLASSES, 1),  # (N, 10, 2, 2), a map for each digit
            nn.AdaptiveAvgPool2d(1),  # (N, 10, 1, 1), its mean
            nn.Flatten(),  # (N, 10)
        )


def to_device(model: nn.Module, device: torch.device | str) -> nn.Module:
    """Moves a model to a device, its weights in the memory order that is fastest there, and returns it."""
    return model.to(device, memory_format=memory_format(device))


def memory_format(device: torch.device | str) -> torch.memory_format:
    """Returns the order in which a device should keep weights and maps."""
    # channels_last speeds up a CPU. On Apple's GPU it gave batch norm wrong gradients
    # (https://github.com/pytorch/pytorch/issues/175189).
    return torch.channels_last if torch.device(device).type == "cpu" else torch.contiguous_format


def count_parameters(model: nn.Module) -> int:
    """Counts the learnable numbers of a model, each once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
