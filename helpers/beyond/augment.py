"""What the records add to augmentation: images bent like rubber, bounds that fade, and scores over several views."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.data import Batches, random_grid, sample
from helpers.train import Score, predict


def random_bend(
    images: Tensor, generator: torch.Generator, bend: float = 0, strength: float = 1, **bounds: float
) -> Tensor:
    """Warps images as `random_warp` does, and bends each by a smooth field of random shifts.

    Source: Simard et al., ICDAR 2003 (elastic distortion).

    Args:
        images: float (N, C, H, W).
        bend: bound of the shifts of 4x4 points, in pixels; between them, shifts change smoothly.
        strength: a factor of all bounds.
        bounds: those of `random_warp`.
    """
    grid = random_grid(images, generator, **bounds, strength=strength)  # (N, 2, H, W)
    if bend:
        num_images, _, height, width = images.shape
        shifts = torch.rand(num_images, 2, 4, 4, generator=generator, device=images.device) * 2 - 1
        pixel = torch.ones(2, 1, 1, device=images.device)
        pixel[0] /= width
        pixel[1] /= height
        shifts *= pixel * (2 * strength * bend)
        grid += F.interpolate(shifts, (height, width), mode="bicubic", align_corners=True)
    return sample(images, grid)


class FadingBatches(Batches):
    """Batches whose augmentation changes its strength with the epochs.

    Args:
        strength: how strongly to augment, as a function of the finished epochs; its value is passed on as
            `augment(images, generator, strength=...)`.
    """

    def __init__(self, *args, strength: Callable[[float], float], **settings):
        super().__init__(*args, **settings)
        self.strength = strength
        self.num_batches = 0  # given so far

    def augmented(self, images: Tensor) -> Tensor:
        strength = self.strength(self.num_batches / len(self))
        self.num_batches += 1
        return self.augment(images, self.generator, strength=strength)

    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() | {"num_batches": torch.tensor(self.num_batches)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        self.num_batches = int(state["num_batches"])


def evaluate_views(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], num_views: int) -> Score:
    """Scores the model in eval mode by its mean logits over `num_views` passes through all batches.

    The batches augment, in one order: each pass is another view of the images.

    Raises:
        ValueError: `num_views` is less than 1, or the batches come in another order at each pass.
    """
    if num_views < 1:
        raise ValueError(f"num_views must be at least 1, got {num_views}")
    if getattr(batches, "shuffle", False):
        raise ValueError("views need batches in one order, these are shuffled")
    views = [predict(model, batches) for _ in range(num_views)]
    if any(not torch.equal(labels, views[0][1]) for _, labels in views[1:]):
        raise ValueError("views need batches in one order, these changed it between two passes")
    logits, labels = torch.stack([logits for logits, _ in views]).mean(dim=0), views[0][1]
    return Score.of(logits, labels)
