"""Knowledge distillation: a small network learns what larger ones answer, not only the label.

Sources: Hinton et al., arXiv:1503.02531; with squared errors of logits, Ba and Caruana, arXiv:1312.6184.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.data import Batches


class TaughtBatches:
    """Batches that ask teachers about each image as it was augmented, and the loss against their mean logits.

    Logits say more than a label: that this 4 is nearly a 9, and nothing like a 0.

    Args:
        batches: images and labels, unchanged; the labels only count what is right.
        teachers: networks on the same device that take images of the same normalization, in eval mode.
    """

    def __init__(self, batches: Batches, teachers: Sequence[nn.Module]):
        self.batches, self.teachers = batches, teachers
        self.logits: Tensor | None = None  # of the teachers, for the present batch
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.batches:
            with torch.no_grad():
                self.logits = torch.stack([teacher(images) for teacher in self.teachers]).mean(dim=0)
            yield images, labels

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean squared difference of logits (N, 10) from the teachers' for the present batch."""
        return F.mse_loss(logits, self.logits)
