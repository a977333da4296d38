"""Frames as images that models of pixels read and paint."""

from __future__ import annotations

import torch
from torch import Tensor


def images_of(frames: Tensor) -> Tensor:
    """Map uint8 frames (B, H, W, 3) to images (B, 3, H, W) in [0, 1].

    >>> images_of(torch.full((1, 2, 2, 3), 255).byte()).shape
    torch.Size([1, 3, 2, 2])
    """
    return frames.movedim(-1, 1).float() / 255


def grey(images: Tensor) -> Tensor:
    """Map images (B, C, H, W) to (B, 1, H, W), the mean of their channels."""
    return images.mean(dim=1, keepdim=True)


def pixels_of(images: Tensor) -> Tensor:
    """Map images (..., C, H, W) to rows of pixels (..., H * W, C)."""
    return images.flatten(-2).transpose(-1, -2)


def frames_of(pixels: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Map rows of pixels (..., H * W, C), in [0, 1] or beyond, to uint8 frames (..., H, W, C)."""
    return torch.unflatten((pixels.clamp(0, 1) * 255).round().byte(), -2, image_size)
