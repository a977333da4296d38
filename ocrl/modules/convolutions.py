"""Convolutions, CELU and group normalisation: what SPACE and SCALOR are built of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_block(
    in_dim: int, out_dim: int, kernel: int, stride: int = 1, *, padding: int = 0, groups: int
) -> list[nn.Module]:
    """Return a convolution, CELU and group normalisation."""
    return [
        nn.Conv2d(in_dim, out_dim, kernel, stride, padding),
        nn.CELU(inplace=True),
        nn.GroupNorm(groups, out_dim),
    ]


def upsampling_block(in_dim: int, out_dim: int, factor: int, groups: int) -> list[nn.Module]:
    """Return a sub-pixel convolution (Shi et al. 2016, arXiv 1609.05158), CELU and group norm."""
    return [
        nn.Conv2d(in_dim, out_dim * factor**2, 1),
        nn.PixelShuffle(factor),
        nn.CELU(inplace=True),
        nn.GroupNorm(groups, out_dim),
    ]


def narrow(dims: Sequence[int], width: float) -> list[int]:
    """Return widths, or numbers of groups, times ``width``, at least 1.

    >>> narrow([16, 32, 2], 0.25)
    [4, 8, 1]
    """
    return [max(1, round(dim * width)) for dim in dims]


class LateralConvolutions(nn.Module):
    """Two convolutions beside the features that they read, then one of both (SPACE, SCALOR).

        y = conv([x, conv(conv(x))])

    Args:
        in_dim: channels of x.
        out_dim: channels of y.
        groups: of each group normalisation.
    """

    def __init__(self, in_dim: int, out_dim: int, groups: int) -> None:
        super().__init__()
        self.lateral = nn.Sequential(
            *conv_block(in_dim, in_dim, 3, padding=1, groups=groups),
            *conv_block(in_dim, in_dim, 3, padding=1, groups=groups),
        )
        self.joint = nn.Sequential(*conv_block(2 * in_dim, out_dim, 3, padding=1, groups=groups))

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in_dim, h, w) to (B, out_dim, h, w)."""
        joint: Tensor = self.joint(torch.cat([features, self.lateral(features)], dim=1))
        return joint
