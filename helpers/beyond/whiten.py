"""A first layer that starts from the images: its filters make their patches white."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def whiten(conv: nn.Conv2d, images: Tensor) -> None:
    """Gives a first convolution filters whose responses to the patches of these images are uncorrelated.

    The filters are the directions in which patches vary most, half of them with the other sign, since a ReLU cuts
    one. Each is divided by how much patches vary along it (0.01 is added, so that noise is not blown up), and by 10,
    which keeps them small. Training then changes them like any other weights.
    Source: Coates and Ng, Learning Feature Representations with K-means (2012); K. Jordan, arXiv:2404.00498.

    Args:
        conv: of one input channel.
        images: float (N, 1, H, W), normalized; some thousand are enough.

    Raises:
        ValueError: there are more filters than directions and their opposites.
    """
    number, (side, _) = len(conv.weight), conv.kernel_size
    if number > 2 * side**2:
        raise ValueError(f"{side}x{side} patches vary in {side**2} directions, too few for {number} filters")
    patches = images.unfold(2, side, 1).unfold(3, side, 1).reshape(-1, side * side)
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))  # in ascending order
    filters = (directions / (variances + 0.01).sqrt()).T.flip(0)[: (number + 1) // 2]
    conv.weight.copy_(torch.cat([filters, -filters])[:number].view_as(conv.weight) / 10)
