"""Spatial broadcast decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.modules.position import PositionEmbedding


class SpatialBroadcastDecoder(Decoder):
    """Paints every slot as an image with transposed convolutions and blends the images.

    Watters et al. 2019 (arXiv 1901.07017), as in Slot Attention (appendix E.2) and SAVi
    (arXiv 2111.12594, appendix): a slot is copied to every cell of a small grid, positions are
    added, each layer of stride 2 doubles the grid, and the last channel is the logit of the mask.

    >>> decoder = SpatialBroadcastDecoder(4, 3, channels=[8, 8], strides=[2, 1], grid_size=(16, 16))
    >>> decoded = decoder(torch.rand(2, 5, 4), torch.rand(2, 5, 9), torch.rand(2, 256, 3))
    >>> decoded.reconstruction.shape, decoded.masks.shape
    (torch.Size([2, 256, 3]), torch.Size([2, 5, 256]))

    Args:
        slot_dim: D.
        target_dim: F, channels of the image.
        channels: of each 5x5 transposed convolution.
        strides: of each, 1 or 2.
        grid_size: (height, width) of the image; divisible by the product of the strides.
        bounded: whether each slot's image ends in a hyperbolic tangent, within (-1, 1).
    """

    def __init__(
        self,
        slot_dim: int,
        target_dim: int,
        *,
        channels: Sequence[int],
        strides: Sequence[int],
        grid_size: tuple[int, int],
        bounded: bool = False,
    ) -> None:
        super().__init__(grid_size)
        self.bounded = bounded
        scale = math.prod(strides)
        if self.grid_size[0] % scale or self.grid_size[1] % scale:
            raise UsageError(
                f"strides {list(strides)} do not fit an image of {grid_size[0]}x{grid_size[1]}: "
                f"choose a grid_size divisible by their product {scale}"
            )
        self.broadcast_size = (self.grid_size[0] // scale, self.grid_size[1] // scale)
        self.position = PositionEmbedding(self.broadcast_size, slot_dim)
        layers: list[nn.Module] = []
        width = slot_dim
        for next_width, stride in zip(channels, strides, strict=True):
            layers += [
                nn.ConvTranspose2d(width, next_width, 5, stride, 2, output_padding=stride - 1),
                nn.ReLU(inplace=True),
            ]
            width = next_width
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, target_dim + 1, 1))

    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Decode slots (B, K, D); ``attention`` and ``target`` are not used."""
        height, width = self.broadcast_size
        cells = slots.flatten(0, 1).unsqueeze(1).expand(-1, height * width, -1)
        grid = self.position(cells).transpose(1, 2).unflatten(2, (height, width))
        images = self.layers(grid).flatten(2).unflatten(0, slots.shape[:2])
        masks, painted = torch.softmax(images[:, :, -1], dim=1), images[:, :, :-1]
        painted = torch.tanh(painted) if self.bounded else painted
        return DecoderOutput(torch.einsum("bkn,bkfn->bnf", masks, painted), masks)
