"""Glimpses: small images of one object each, to a code and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.errors import UsageError
from ocrl.modules.convolutions import conv_block, narrow, upsampling_block
from ocrl.modules.noise import gaussian


class Layer(NamedTuple):
    """A convolution of a glimpse encoder, before CELU and group normalisation."""

    dim: int
    kernel: int
    stride: int
    padding: int
    groups: int


class Upsampling(NamedTuple):
    """A sub-pixel convolution of a glimpse decoder, and whether a 3x3 convolution refines it."""

    dim: int
    factor: int
    groups: int
    refined: bool


SPACE_ENCODER = (
    Layer(16, 3, 1, 1, 4),
    Layer(32, 4, 2, 1, 8),
    Layer(32, 3, 1, 1, 4),
    Layer(64, 4, 2, 1, 8),
    Layer(128, 4, 2, 1, 8),
    Layer(256, 4, 1, 0, 16),
)
SPACE_DECODER = (
    Upsampling(256, 1, 16, False),
    Upsampling(128, 2, 16, True),
    Upsampling(128, 2, 16, True),
    Upsampling(64, 2, 8, True),
    Upsampling(32, 2, 8, True),
    Upsampling(16, 2, 4, True),
)
SCALOR_ENCODER = (
    Layer(16, 4, 2, 1, 4),
    Layer(32, 4, 2, 1, 8),
    Layer(64, 4, 2, 1, 8),
    Layer(64, 3, 1, 1, 8),
    Layer(128, 4, 1, 0, 16),
)
SCALOR_DECODER = (
    Upsampling(128, 1, 16, False),
    Upsampling(64, 4, 8, False),
    Upsampling(64, 2, 8, False),
    Upsampling(32, 2, 8, False),
    Upsampling(16, 2, 4, True),
)
"""Layers for glimpses of 32x32 pixels (arXiv 2001.02407 and 1910.02384, authors' code)."""


class GlimpseLayers(NamedTuple):
    """Layers from glimpses of one size to their codes, and back."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Upsampling, ...]


SPACE_LAYERS = {
    32: GlimpseLayers(SPACE_ENCODER, SPACE_DECODER),
    16: GlimpseLayers(SPACE_ENCODER[:1] + SPACE_ENCODER[3:], SPACE_DECODER[:2] + SPACE_DECODER[3:]),
}
SCALOR_LAYERS = {
    32: GlimpseLayers(SCALOR_ENCODER, SCALOR_DECODER),
    16: GlimpseLayers(
        SCALOR_ENCODER[:1] + SCALOR_ENCODER[2:], SCALOR_DECODER[:2] + SCALOR_DECODER[3:]
    ),
}
"""By the pixels along a glimpse's side; the smaller ones halve, and double, once less."""


def glimpse_layers(layers: Mapping[int, GlimpseLayers], size: int) -> GlimpseLayers:
    """Return the layers for glimpses of ``size`` pixels.

    Raises:
        UsageError: there are none.
    """
    if size not in layers:
        raise UsageError(
            f"there are no layers for glimpses of {size} pixels: choose "
            f"{' or '.join(map(str, layers))} as glimpse_size"
        )
    return layers[size]


class GlimpseEncoder(nn.Module):
    """Glimpses of one object each to Gaussians over what is in them.

    Args:
        what_dim: width of the code.
        layers: ending in a single vector.
        width: share of the published channels and groups.

    Attributes:
        size: (h, w) of the glimpses that the layers make a single vector of.
    """

    def __init__(self, what_dim: int, layers: tuple[Layer, ...], width: float = 1.0) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = 3
        for layer in layers:
            dim, groups = narrow([layer.dim, layer.groups], width)
            blocks += conv_block(
                before, dim, layer.kernel, layer.stride, padding=layer.padding, groups=groups
            )
            before = dim
        self.layers = nn.Sequential(*blocks)
        self.to_what = nn.Linear(before, 2 * what_dim)
        side = 1
        for layer in reversed(layers):
            side = (side - 1) * layer.stride + layer.kernel - 2 * layer.padding
        self.size = (side, side)

    def forward(self, glimpses: Tensor) -> Normal:
        """Map glimpses (..., 3, h, w) to Gaussians over (..., what_dim)."""
        features = self.layers(glimpses.flatten(0, -4)).flatten(1)
        return gaussian(torch.unflatten(self.to_what(features), 0, glimpses.shape[:-3]))


class GlimpseDecoder(nn.Module):
    """Codes to glimpses: colours, and how opaque they are.

    Args:
        what_dim: width of the code.
        layers: of which the first only widens the code.
        width: share of the published channels and groups.
    """

    def __init__(self, what_dim: int, layers: tuple[Upsampling, ...], width: float = 1.0) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = what_dim
        for layer in layers:
            dim, groups = narrow([layer.dim, layer.groups], width)
            if layer.factor == 1:
                blocks += conv_block(before, dim, 1, groups=groups)
            else:
                blocks += upsampling_block(before, dim, layer.factor, groups)
            if layer.refined:
                blocks += conv_block(dim, dim, 3, padding=1, groups=groups)
            before = dim
        self.layers = nn.Sequential(*blocks)
        self.to_colour = nn.Conv2d(before, 3, 3, padding=1)
        self.to_alpha = nn.Conv2d(before, 1, 3, padding=1)

    def forward(self, what: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (..., what_dim) to colours (..., 3, h, w) and alphas (..., 1, h, w)."""
        # Channels side by side, not planes: so convolutions with as few channels are faster.
        features = self.layers(what.flatten(0, -2)[:, None, None].movedim(-1, 1))
        weight, bias = (
            torch.cat([getattr(self.to_colour, name), getattr(self.to_alpha, name)])
            for name in ("weight", "bias")
        )
        drawn = F.conv2d(features, weight, bias, padding=1).sigmoid()
        colour, alpha = torch.unflatten(drawn, 0, what.shape[:-1]).tensor_split([3], dim=-3)
        return colour, alpha
