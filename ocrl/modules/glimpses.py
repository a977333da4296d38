"""Glimpses: small images of one object each, to a code and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.convolutions import conv_block, narrow, upsampling_block
from ocrl.modules.noise import gaussian


class GlimpseEncoder(nn.Module):
    """Glimpses of 32x32 pixels to Gaussians over what is in them (SPACE, arXiv 2001.02407).

    Args:
        what_dim: width of the code.
        width: share of the published channels and groups.
    """

    size = (32, 32)

    def __init__(self, what_dim: int, width: float = 1.0) -> None:
        super().__init__()
        channels = narrow([16, 32, 32, 64, 128, 256], width)
        groups = narrow([4, 8, 4, 8, 8, 16], width)
        kernels, strides, paddings = (3, 4, 3, 4, 4, 4), (1, 2, 1, 2, 2, 1), (1, 1, 1, 1, 1, 0)
        layers = []
        for i, in_dim in enumerate([3, *channels[:-1]]):
            layers += conv_block(
                in_dim, channels[i], kernels[i], strides[i], padding=paddings[i], groups=groups[i]
            )
        self.layers = nn.Sequential(*layers)
        self.to_what = nn.Linear(channels[-1], 2 * what_dim)

    def forward(self, glimpses: Tensor) -> Normal:
        """Map glimpses (..., 3, 32, 32) to Gaussians over (..., what_dim)."""
        features = self.layers(glimpses.flatten(0, -4)).flatten(1)
        return gaussian(torch.unflatten(self.to_what(features), 0, glimpses.shape[:-3]))


class GlimpseDecoder(nn.Module):
    """Codes to glimpses of 32x32 pixels: colours, and how opaque they are (SPACE).

    Args:
        what_dim: width of the code.
        width: share of the published channels and groups.
    """

    def __init__(self, what_dim: int, width: float = 1.0) -> None:
        super().__init__()
        first, *channels = narrow([256, 128, 128, 64, 32, 16], width)
        first_groups, *groups = narrow([16, 16, 16, 8, 8, 4], width)
        layers = conv_block(what_dim, first, 1, groups=first_groups)
        for in_dim, dim, group in zip([first, *channels], channels, groups, strict=False):
            layers += upsampling_block(in_dim, dim, 2, group)
            layers += conv_block(dim, dim, 3, padding=1, groups=group)
        self.layers = nn.Sequential(*layers)
        self.to_colour = nn.Conv2d(channels[-1], 3, 3, padding=1)
        self.to_alpha = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, what: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (..., what_dim) to colours (..., 3, 32, 32) and alphas (..., 1, 32, 32)."""
        features = self.layers(what.flatten(0, -2)[..., None, None])
        colour = self.to_colour(features).sigmoid()
        alpha = self.to_alpha(features).sigmoid()
        shape = what.shape[:-1]
        return torch.unflatten(colour, 0, shape), torch.unflatten(alpha, 0, shape)
