"""Random crops of frames, a batch at a time: what self-distillation compares."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

# Weights of red, green and blue in what the eye calls bright (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


class Crops(NamedTuple):
    """Views of the same frames.

    Attributes:
        large: float (2, B, 3, S, S) in [0, 1]: what the teacher sees, and the student as well.
        small: float (V, B, 3, s, s) in [0, 1]: what only the student sees.
    """

    large: Tensor
    small: Tensor


class MultiCrop:
    """Two large and several small crops of each frame (SwAV, arXiv 2006.09882, section 3.3).

    Each crop has a place, a size, a shape, a light and a sharpness of its own, and may be mirrored.
    Hue stays, and there are no grey crops: in mazes and scenes colour tells things apart.

    >>> crops = MultiCrop()(torch.zeros(5, 64, 64, 3, dtype=torch.uint8))
    >>> crops.large.shape, crops.small.shape
    (torch.Size([2, 5, 3, 32, 32]), torch.Size([4, 5, 3, 16, 16]))

    Args:
        large_size: side S of a large crop, in pixels.
        large_area: least and largest share of the frame that it shows.
        small_size: side s of a small crop, in pixels.
        small_area: least and largest share of the frame that it shows.
        num_small: small crops of each frame, V.
        light: brightness, contrast and saturation are multiplied by 1 - light to 1 + light each.
        blur: largest share of a blurred copy that is mixed in.
    """

    def __init__(
        self,
        *,
        large_size: int = 32,
        large_area: tuple[float, float] = (0.25, 1.0),
        small_size: int = 16,
        small_area: tuple[float, float] = (0.05, 0.25),
        num_small: int = 4,
        light: float = 0.25,
        blur: float = 0.7,
    ) -> None:
        self.large_size = large_size
        self.large_area = large_area
        self.small_size = small_size
        self.small_area = small_area
        self.num_small = num_small
        self.light = light
        self.blur = blur

    def __call__(self, frames: Tensor) -> Crops:
        """Crop uint8 frames (B, H, W, 3)."""
        images = frames.permute(0, 3, 1, 2).float() / 255
        return Crops(
            self._views(images, 2, self.large_size, self.large_area),
            self._views(images, self.num_small, self.small_size, self.small_area),
        )

    def _views(self, images: Tensor, num: int, size: int, area: tuple[float, float]) -> Tensor:
        boxes = random_boxes(images, num, area)
        crops = roi_align(images, boxes, (size, size), aligned=True)
        crops = torch.where(_uniform(crops, 0, 1) < 0.5, crops.flip(3), crops)
        crops = soften(relight(crops, self.light), self.blur)
        return torch.unflatten(crops, 0, (num, len(images)))


def random_boxes(images: Tensor, num: int, area: tuple[float, float]) -> Tensor:
    """Draw boxes inside images: a uniform share of the area, sides at most 3 to 4, any place.

    Args:
        images: (B, 3, H, W).
        num: boxes of each image.
        area: least and largest share of an image.

    Returns:
        (num * B, 5): index of the image, left, top, right, bottom.
    """
    height, width = images.shape[2:]
    which = torch.arange(len(images), device=images.device).repeat(num)
    share, aspect, x, y = torch.rand(4, len(which), device=images.device)
    share = area[0] + share * (area[1] - area[0])
    aspect = (4 / 3) ** (2 * aspect - 1)
    box_width = ((share * aspect).sqrt() * width).clamp(max=width)
    box_height = ((share / aspect).sqrt() * height).clamp(max=height)
    left, top = x * (width - box_width), y * (height - box_height)
    return torch.stack([which, left, top, left + box_width, top + box_height], dim=1)


def relight(images: Tensor, strength: float) -> Tensor:
    """Change brightness, contrast and saturation of each image (B, 3, H, W) in [0, 1]."""
    brightness, contrast, saturation = (
        _uniform(images, 1 - strength, 1 + strength) for _ in range(3)
    )
    images = images * brightness
    grey = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    images = torch.lerp(grey, images, saturation)
    return torch.lerp(grey.mean((2, 3), keepdim=True), images, contrast).clamp(0, 1)


def soften(images: Tensor, strength: float) -> Tensor:
    """Mix each image (B, 3, H, W) with up to ``strength`` of its blurred copy."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(padded, 3, stride=1)
    return torch.lerp(images, blurred, _uniform(images, 0, strength))


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number for each image, (B, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, device=images.device)
