"""U-Net: an image to a map of its own size, by way of a bottleneck."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.errors import UsageError

BOTTLENECK = 4
"""Side of the smallest map."""


class UNet(nn.Module):
    """The U-Net of MONet (arXiv 1901.11390, appendix B.2).

    Blocks of a 3x3 convolution, an instance norm and a ReLU. Maps halve after every block down but
    the last and double after every block up but the last, to and from an MLP on the smallest map.
    Each block up also reads what the block down of its size gave.

    >>> UNet(4, 2, image_size=(32, 32), dim=4)(torch.rand(3, 4, 32, 32)).shape
    torch.Size([3, 2, 32, 32])

    Args:
        in_channels: of the image.
        out_channels: of the map.
        image_size: (height, width), 2^n times the smallest map, at least 32 each.
        dim: channels of the first blocks, twice as many in the innermost; 32 as published.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, image_size: tuple[int, int], dim: int = 32
    ) -> None:
        super().__init__()
        num_halvings = int(math.log2(max(1, min(image_size)) / BOTTLENECK))
        scale = 2 ** max(0, num_halvings)
        if num_halvings < 3 or any(side % scale for side in image_size):
            raise UsageError(
                f"a U-Net does not fit images of {image_size[0]}x{image_size[1]}: choose sides of "
                "32, 64 or 128, such as image_size=[64,64]"
            )
        down = [dim] * (num_halvings - 2) + [2 * dim] * 3
        up = [2 * dim] * 2 + [dim] * (num_halvings - 1)
        self.down = nn.ModuleList(_block(*dims) for dims in pairwise([in_channels, *down]))
        self.up = nn.ModuleList(
            _block(inner + skip, outer)
            for inner, skip, outer in zip([down[-1], *up], reversed(down), up, strict=False)
        )
        size = (image_size[0] // scale, image_size[1] // scale)
        flat = 2 * dim * size[0] * size[1]
        self.bottleneck = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(flat, 128), nn.ReLU()),
            *(nn.Linear(128, 128), nn.ReLU()),
            *(nn.Linear(128, flat), nn.ReLU()),
            nn.Unflatten(1, (2 * dim, *size)),
        )
        self.out = nn.Conv2d(dim, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W)."""
        hidden, skips = images, []
        for index, block in enumerate(self.down):
            hidden = block(F.interpolate(hidden, scale_factor=0.5) if index else hidden)
            skips.append(hidden)
        hidden = self.bottleneck(hidden)
        for index, block in enumerate(self.up):
            hidden = F.interpolate(hidden, scale_factor=2.0) if index else hidden
            hidden = block(torch.cat([hidden, skips.pop()], dim=1))
        output: Tensor = self.out(hidden)
        return output


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.InstanceNorm2d(out_channels, affine=True),
        nn.ReLU(inplace=True),
    )
