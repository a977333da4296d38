"""Spatial broadcasting: vectors copied to every cell of a grid, and convolved there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BroadcastConv2d(nn.Conv2d):
    """A first convolution after spatial broadcasting (Watters et al. 2019, arXiv 1901.07017).

        y = conv([vector everywhere, places])

    A convolution makes the same of a vector everywhere but near padded edges. So vectors are
    convolved in the smallest grid that has all edges, the places, which all vectors share, once in
    the full one, and the two are added. The weights are those of one convolution of both.

    >>> conv = BroadcastConv2d(8, torch.zeros(2, 16, 16), 4, kernel_size=3, padding=1)
    >>> conv(torch.zeros(5, 8)).shape
    torch.Size([5, 4, 16, 16])

    Args:
        in_dim: Z, width of a vector.
        places: (P, h, w), what is the same for all vectors; its channels follow theirs.
        out_dim: C.
        kernel_size: odd, no larger than the grid.
        padding: of zeros, at most half the kernel's size.
    """

    places: Tensor

    def __init__(
        self, in_dim: int, places: Tensor, out_dim: int, kernel_size: int, padding: int = 0
    ) -> None:
        super().__init__(in_dim + len(places), out_dim, kernel_size, padding=padding)
        self.in_dim = in_dim
        self.register_buffer("places", places, persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map vectors (B, Z) to maps (B, C, H, W)."""
        to_vectors, to_places = self.weight.tensor_split([self.in_dim], dim=1)
        everywhere = vectors[..., None, None].expand(-1, -1, *self.kernel_size)
        small = F.conv2d(everywhere, to_vectors, self.bias, padding=self.padding)
        places = F.conv2d(self.places.unsqueeze(0), to_places, padding=self.padding)
        for axis in (2, 3):
            small = _widen(small, axis, places.shape[axis])
        return small + places


def _widen(maps: Tensor, axis: int, length: int) -> Tensor:
    """Repeat the middle of maps along an axis until they are of some length."""
    middle = maps.shape[axis] // 2
    before, same, after = maps.tensor_split([middle, middle + 1], dim=axis)
    shape = list(maps.shape)
    shape[axis] = length - 2 * middle
    same = same.expand(shape)
    return torch.cat([before, same, after], dim=axis) if middle else same
