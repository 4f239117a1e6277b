"""Labels mixed with the answers of networks that were trained before."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.data import Batches
from helpers.model import NUM_CLASSES


class TaughtBatches:
    """Batches whose targets are the labels, mixed with what teachers make of the same augmented images.

    Each is images and probabilities (N, 10), which are softer than labels: a 7 that might be a 1 says so.
    Sources: Hinton et al., arXiv:1503.02531; that teachers see the same image: Beyer et al., arXiv:2106.05237.

    Args:
        batches: of images (N, 1, 28, 28) and labels (N,).
        teachers: networks in eval mode, whose mean probabilities count.
        share: the part of each target that is theirs, 0 to 1.
    """

    def __init__(self, batches: Batches, teachers: Sequence[nn.Module], share: float):
        self.batches, self.teachers, self.share = batches, teachers, share

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.batches:
            with torch.no_grad():
                answers = sum(teacher(images).softmax(dim=1) for teacher in self.teachers) / len(self.teachers)
            yield images, torch.lerp(F.one_hot(labels, NUM_CLASSES).float(), answers, self.share)

    def state_dict(self) -> dict[str, Tensor]:
        """Returns where the batches stand, for a checkpoint."""
        return self.batches.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state_dict` returned."""
        self.batches.load_state_dict(state)
