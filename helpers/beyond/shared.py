"""Layers whose filters serve several orientations: each looks for its pattern turned and mirrored."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.model import memory_format


class SharedConv2d(nn.Conv2d):
    """A convolution whose filters each look for their pattern in several orientations.

    Maps (N, C, H, W) -> (N, filters * orientations, H', W'), the maps of a filter side by side. The weights are those
    of the first orientation, `bank` holds all. A turned image gives the same maps, turned, in another order.
    Source: Cohen and Welling, Group Equivariant Convolutional Networks, arXiv:1602.07576.

    Args:
        in_channels: those of an image, or the maps of a `SharedConv2d` of as many orientations.
        num_filters: how many patterns to look for.
        orientations: 4 for quarter turns, 8 for their mirror images too.
        groups: 1; or for a depthwise convolution `in_channels`, the maps of as many filters as there are here: then
            each filter reads the map of its own number and orientation.

    Raises:
        ValueError: `orientations` is not 4 or 8, the kernel is not square, or `groups` is anything else.
    """

    def __init__(
        self,
        in_channels: int,
        num_filters: int,
        kernel_size: int,
        *more,
        orientations: int,
        groups: int = 1,
        **settings,
    ):
        if orientations not in (4, 8):
            raise ValueError(f"orientations must be 4 (quarter turns) or 8 (mirror images too), got {orientations}")
        if groups != 1 and not groups == in_channels == num_filters * orientations:
            raise ValueError(
                f"groups must be 1, or {num_filters * orientations} where as many maps come in: {num_filters} filters "
                f"in {orientations} orientations; got {groups}, and {in_channels} maps"
            )
        super().__init__(in_channels // groups, num_filters, kernel_size, *more, **settings)
        if self.kernel_size[0] != self.kernel_size[1]:
            raise ValueError(f"a filter that turns must be square, got {self.kernel_size}")
        mirrors, turns = (1, 1) if self.in_channels % orientations else (orientations // 4, 4)  # of the maps it reads
        self.in_channels, self.groups, self.orientations = in_channels, groups, orientations
        places = torch.arange(self.weight[0].numel(), device=self.weight.device)
        places = places.reshape(-1, mirrors, turns, *self.kernel_size)
        # Where the input has orientations, a turned filter finds what it looks for in the next one of them. Mirroring
        # exchanges the two halves and reverses the direction of turning.
        sides = (places, places.flip(1, 2, 4).roll(1, 2))[: orientations // 4]
        turned = [side.roll(turn, 2).rot90(turn, (3, 4)).flatten() for side in sides for turn in range(4)]
        self.register_buffer("places", torch.stack(turned), persistent=False)  # which weight stands where

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, orientations={self.orientations}"

    def bank(self) -> Tensor:
        """Returns the filters in all orientations (filters * orientations, maps that one reads, kernel, kernel)."""
        filters = self.weight.flatten(1).unsqueeze(1).expand(-1, self.orientations, -1)
        return filters.gather(2, self.places.expand_as(filters)).reshape(-1, *self.weight.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.repeat_interleave(self.orientations)
        bank = self.bank().contiguous(memory_format=memory_format(x.device))  # from which the maps take theirs
        return self._conv_forward(x, bank, bias)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with one mean, deviation, scale and shift for all maps of a filter: (N, C, H, W) -> the same.

    With one for each map the orientations would grow apart.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            maps = x.unflatten(1, (self.num_features, -1))  # (N, filters, orientations, H, W)
            return super().forward(maps.flatten(2, 3)).reshape(x.shape)
        numbers = (self.running_mean, self.running_var, self.weight, self.bias)
        each = (values.repeat_interleave(x.shape[1] // self.num_features) for values in numbers)
        return F.batch_norm(x, *each, eps=self.eps)
