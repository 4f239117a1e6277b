"""The networks of records and variants, made from a few arguments."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate

from torch import Tensor, nn

from helpers.beyond.shared import SharedBatchNorm2d, SharedConv2d
from helpers.model import NUM_CLASSES


class ConvNet(nn.Module):
    """Stages of convolutions, max pooling between stages, a 1x1 head and GAP.

    Images (N, 1, 28, 28) -> logits (N, 10). Each convolution is followed by batch norm and activation;
    where a stage ends, pooling comes first, so that both work on a quarter of the pixels.

    Args:
        stages: the convolutions of each stage, as the number of filters of a 3x3 one, or as
            (filters, kernel) or (filters, kernel, stride).
        orientations: in how many of them each filter is used: 1, or see `SharedConv2d`. It gives as many maps.
            The head is ordinary, so that a 6 and a 9 differ.
        separable: whether each convolution but the first is made of two, depthwise and pointwise: the first
            reads each map alone, the second, 1x1, mixes them (Chollet, arXiv:1610.02357). They count as one.
        unpadded: which convolutions have no padding, by index; -1 is the last one. By default the last two.
        dropout: probability of dropping a whole map before the head, see `LessonNet`.
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
        for i, conv in enumerate(convolutions, start=1):
            width, kernel, stride = _sizes(*conv)
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


def _sizes(width: int, kernel: int = 3, stride: int = 1) -> tuple[int, int, int]:
    """Returns them with the defaults of those that are not given."""
    return width, kernel, stride
