"""What an encoder is trained to reconstruct."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.position import grid_coordinates


class FeatureTarget(nn.Module):
    """The backbone's own features, without gradient (DINOSAUR, arXiv 2209.14860, section 3.1)."""

    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        """Return the features (..., N, F) of frames (..., H, W, 3), detached."""
        return features.detach()


class ColourTarget(nn.Module):
    """The mean colour of each patch, standardised, and if wanted its place in the image.

    With patches of one pixel this is the image itself, in [-1, 1] with mean and std of 0.5.

    >>> frames = torch.full((2, 8, 8, 3), 255, dtype=torch.uint8)
    >>> target = ColourTarget((8, 8), patch_size=4)
    >>> target(frames, frames).shape
    torch.Size([2, 4, 3])

    Args:
        image_size: (height, width) of the frames.
        patch_size: side of a patch; divides both.
        mean: of the colours, per channel, in [0, 1].
        std: of the colours, per channel.
        position_spread: standard deviation of the two coordinates over the image, where colours
            have one. Zero leaves them out.
    """

    mean: Tensor
    std: Tensor
    position: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        patch_size: int,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        position_spread: float = 0.0,
    ) -> None:
        super().__init__()
        height, width = image_size
        if height % patch_size or width % patch_size:
            raise UsageError(
                f"patches of {patch_size} do not divide frames of {height}x{width}: "
                "choose a patch_size that divides both sides"
            )
        self.grid_size = (height // patch_size, width // patch_size)
        self.patch_size = patch_size
        self.register_buffer("mean", torch.tensor(list(mean)), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)), persistent=False)
        # Coordinates are uniform in (-1, 1): their standard deviation is 1 / sqrt(3).
        position = grid_coordinates(*self.grid_size) * 3**0.5 * position_spread
        self.register_buffer("position", position[:, : 2 if position_spread else 0], False)

    def forward(self, frames: Tensor, features: Tensor) -> Tensor:
        """Return the target (..., N, 3 or 5) of uint8 frames (..., H, W, 3)."""
        images = frames.flatten(0, -4).permute(0, 3, 1, 2).float() / 255
        colours = F.avg_pool2d(images, self.patch_size).flatten(2).transpose(1, 2)
        colours = (colours - self.mean) / self.std
        target = torch.cat([colours, self.position.expand(len(colours), -1, -1)], dim=-1)
        return torch.unflatten(target, 0, frames.shape[:-3])

    def to_images(self, target: Tensor) -> Tensor:
        """Return a target or its reconstruction (..., N, F) as uint8 images (..., h, w, 3)."""
        colours = target[..., :3] * self.std + self.mean
        images = (colours.clamp(0, 1) * 255).round().to(torch.uint8)
        return torch.unflatten(images, -2, self.grid_size)
