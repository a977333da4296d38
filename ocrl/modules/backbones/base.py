"""What every backbone takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """Turns uint8 frames into a grid of tokens.

    Args:
        image_size: (height, width) of the frames.
        mean: of the colours, per channel, in [0, 1].
        std: of the colours, per channel.
        frozen: keep the weights as they are: no gradients, always in eval mode.

    Attributes:
        image_size: (height, width) of the frames.
        grid_size: (height, width) of the token grid, N = height * width.
        feature_dim: width F of a token.
        frozen: whether the weights are kept as they are.
    """

    grid_size: tuple[int, int]
    feature_dim: int
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.frozen = frozen
        self.register_buffer("mean", torch.tensor(list(mean)).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(3, 1, 1), persistent=False)

    @property
    def patch_size(self) -> int:
        """Pixels along the side of a token."""
        return self.image_size[0] // self.grid_size[0]

    @abstractmethod
    def extract(self, images: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, W) to tokens (B, N, F)."""

    def forward(self, frames: Tensor) -> Tensor:
        """Map uint8 frames (B, H, W, 3) to tokens (B, N, F), row by row."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.extract(self.normalise(frames))

    def normalise(self, frames: Tensor) -> Tensor:
        """Map uint8 frames (B, H, W, 3) to standardised float images (B, 3, H, W)."""
        pixels = frames.permute(0, 3, 1, 2).to(self.mean.dtype)
        # in one pass over the pixels, which are many
        return torch.addcmul(-self.mean / self.std, pixels, 1 / (255 * self.std))

    def train(self, mode: bool = True) -> Self:
        """Set training mode, unless frozen."""
        return super().train(mode and not self.frozen)
