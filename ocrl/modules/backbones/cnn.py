"""Small convolutional backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.backbones.base import Backbone
from ocrl.modules.position import PositionEmbedding


class CNNBackbone(Backbone):
    """Convolutions with ReLU, then position embeddings (Slot Attention, appendix E.2).

    >>> import torch
    >>> backbone = CNNBackbone((64, 64), channels=[24, 48], kernel_sizes=[5, 3], strides=[2, 2])
    >>> backbone(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)).shape, backbone.grid_size
    (torch.Size([1, 256, 48]), (16, 16))

    Args:
        image_size: (height, width) of the frames; divisible by the product of the strides.
        channels: of each convolution.
        kernel_sizes: of each, odd.
        strides: of each.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        channels: Sequence[int],
        kernel_sizes: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        super().__init__(image_size, mean=(0.5,) * 3, std=(0.5,) * 3, frozen=False)
        height, width = self.image_size
        stride = math.prod(strides)
        if height % stride or width % stride:
            raise UsageError(
                f"a CNN of stride {stride} does not fit frames of {height}x{width}: "
                f"choose an image_size divisible by {stride}"
            )
        self.grid_size = (height // stride, width // stride)
        self.feature_dim = channels[-1]
        layers: list[nn.Module] = []
        in_channels = 3
        for out_channels, kernel, step in zip(channels, kernel_sizes, strides, strict=True):
            layers += [
                nn.Conv2d(in_channels, out_channels, kernel, step, padding=kernel // 2),
                nn.ReLU(inplace=True),
            ]
            in_channels = out_channels
        self.layers = nn.Sequential(*layers)
        self.position = PositionEmbedding(self.grid_size, self.feature_dim)

    def extract(self, images: Tensor) -> Tensor:
        """Return the features of the last layer, with their positions."""
        tokens: Tensor = self.position(self.layers(images).flatten(2).transpose(1, 2))
        return tokens


def small_cnn(image_size: tuple[int, int], patch_size: int = 4) -> CNNBackbone:
    """Make the backbone that encoders for small machines share: 48 wide, a token for each patch.

    >>> small_cnn((64, 64)).grid_size, small_cnn((64, 64), patch_size=2).grid_size
    ((16, 16), (32, 32))

    Args:
        image_size: (height, width) of the frames, divisible by the patch size.
        patch_size: side in pixels of what is one token, 2 or 4.

    Raises:
        UsageError: another size.
    """
    if patch_size not in (2, 4):
        raise UsageError(f"patch_size={patch_size}: this CNN makes tokens of 2 or of 4 pixels")
    strides = (2, patch_size // 2, 1)
    return CNNBackbone(image_size, channels=(24, 48, 48), kernel_sizes=(5, 3, 3), strides=strides)
