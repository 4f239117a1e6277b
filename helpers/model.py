"""The networks: the given baseline and our own."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.shared import SharedBatchNorm2d, SharedConv2d, memory_format

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


class ConvNet(nn.Module):
    """Our networks: stages of convolutions, max pooling between stages, a 1x1 head and GAP.

    Images (N, 1, 28, 28) -> logits (N, 10). Each convolution is followed by batch norm and activation;
    where a stage ends, pooling comes first, so that both work on a quarter of the pixels.

    Args:
        stages: the convolutions of each stage, as the number of filters of a 3x3 one, or as
            (filters, kernel) or (filters, kernel, stride).
        orientations: in how many of them each filter is used: 1, or see `SharedConv2d`. It gives as many maps.
            The head is ordinary, so that a 6 and a 9 differ.
        separable: whether each convolution but the first is made of two, depthwise and pointwise: the one reads
            each map by itself, the other, 1x1, mixes them (Chollet, arXiv:1610.02357). They count as one.
        unpadded: which convolutions have no padding, by index; -1 is the last one. By default the last two.
        dropout: probability that a map is dropped before the head, whole (Tompson et al.,
            arXiv:1411.4280): neighboring pixels are too alike for dropping them one by one to help.
        activation: the name of its class in torch.nn, one that can work in place: "ReLU", "SiLU".
        num_norms: how many of the convolutions, the head as the last one, are followed by batch
            norm; all but the head by default. Those without have a bias instead.

    Raises:
        ValueError: there are no stages, or one of them is empty; `orientations` is not 1, 4 or 8; `unpadded` or
            `num_norms` names what is not there; or an image of 28x28 pixels has none left at some convolution.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[int | Sequence[int]]],
        *,
        orientations: int = 1,
        separable: bool = False,
        unpadded: Sequence[int] | None = None,
        dropout: float = 0.0,
        activation: str = "ReLU",
        num_norms: int | None = None,
    ):
        super().__init__()
        if not stages or not all(stages):
            raise ValueError(f"stages must be non-empty lists of convolutions, got {stages}")
        if orientations not in (1, 4, 8):
            raise ValueError(f"orientations must be 1, 4 (quarter turns) or 8 (mirror images too), got {orientations}")
        convolutions = [(conv,) if isinstance(conv, int) else conv for stage in stages for conv in stage]
        count = len(convolutions)
        unpadded = range(max(0, count - 2), count) if unpadded is None else unpadded
        num_norms = count if num_norms is None else num_norms
        if not all(-count <= i < count for i in unpadded):
            raise ValueError(f"unpadded must be in -{count}..{count - 1}, {count} convolutions, got {unpadded}")
        if not 0 <= num_norms <= count + 1:
            raise ValueError(f"num_norms must be in 0..{count + 1}, {count} convolutions and the head, got {num_norms}")
        pooled = set(accumulate(len(stage) for stage in stages[:-1]))
        valid = {i % count for i in unpadded}
        shared = (partial(SharedConv2d, orientations=orientations), SharedBatchNorm2d)
        conv2d, batch_norm2d = shared if orientations > 1 else (nn.Conv2d, nn.BatchNorm2d)
        layers, channels, size = [], 1, 28
        for i, (width, *shape) in enumerate(convolutions, start=1):
            kernel, stride = (*shape, *(3, 1)[len(shape) :])
            padding = 0 if i - 1 in valid else kernel // 2
            window = (kernel, stride, padding)
            if separable and i > 1:
                layers.append(conv2d(channels, channels // orientations, *window, groups=channels, bias=False))
                window = (1,)
            layers.append(conv2d(channels, width, *window, bias=i > num_norms))
            size = (size + 2 * padding - kernel) // stride + 1
            if i in pooled:
                layers.append(nn.MaxPool2d(2))
                size //= 2
            if size < 1:
                raise ValueError(f"no pixel is left after convolution {i} of {count}: pad more of them, or pool less")
            if i <= num_norms:
                layers.append(batch_norm2d(width))
            layers.append(getattr(nn, activation)(inplace=True))
            channels = width * orientations
        layers += [nn.Dropout2d(dropout), nn.Conv2d(channels, NUM_CLASSES, 1)]
        if num_norms > count:
            layers.append(nn.BatchNorm2d(NUM_CLASSES))
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def to_device(model: nn.Module, device: torch.device | str) -> nn.Module:
    """Moves a model to a device, its weights in the memory order that is fastest there, and returns it."""
    return model.to(device, memory_format=memory_format(device))


def count_parameters(model: nn.Module) -> int:
    """Counts the learnable numbers of a model, each once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
