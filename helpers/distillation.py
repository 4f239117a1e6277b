"""Knowledge distillation: a small network learns what larger ones answer, not only the label.

Sources: Hinton et al., arXiv:1503.02531; with squared errors of logits, Ba and Caruana, arXiv:1312.6184.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from helpers.data import Batches


class TaughtBatches:
    """Batches whose labels are the mean logits (N, 10) of teachers, for each image as it was augmented.

    Logits say more than a label: that this 4 is nearly a 9, and nothing like a 0.

    Args:
        batches: those of the images; their labels are not used.
        teachers: networks on the same device that take images of the same normalization, in eval mode.
    """

    def __init__(self, batches: Batches, teachers: Sequence[nn.Module]):
        self.batches, self.teachers = batches, teachers
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for images, _ in self.batches:
            with torch.no_grad():
                logits = torch.stack([teacher(images) for teacher in self.teachers])
            yield images, logits.mean(dim=0)
