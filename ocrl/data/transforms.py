"""Croppings: how images of any size become clips of one size, as published settings have it.

Numbers are those of the official VideoSAUR and SlotContrast data code: bicubic (OCLF has bilinear
too) without antialiasing, clamped to the range of colours; segments take the nearest pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ocrl.errors import UsageError

Size = tuple[int, int]
Crop = Literal["none", "central", "short_side", "random"]
Interpolation = Literal["bicubic", "bilinear"]


def interpolate(images: Tensor, size: Size, mode: Interpolation = "bicubic") -> Tensor:
    """Resize frames (T, H, W, 3), uint8 or float in [0, 1], or segment ids, integers (T, H, W).

    >>> import torch
    >>> interpolate(torch.rand(2, 8, 8, 3), (4, 6)).shape
    torch.Size([2, 4, 6, 3])
    """
    if tuple(images.shape[1:3]) == size:
        return images
    if images.ndim == 3:
        ids = F.interpolate(images[:, None].double(), size, mode="nearest-exact")
        return ids[:, 0].to(images.dtype)
    pixels = F.interpolate(images.movedim(-1, 1).float(), size, mode=mode)
    if images.is_floating_point():
        return pixels.clamp(0, 1).movedim(1, -1).contiguous()
    return pixels.round().clamp(0, 255).to(images.dtype).movedim(1, -1).contiguous()


def central_crop(images: Tensor, size: Size, mode: Interpolation = "bicubic") -> Tensor:
    """Resize the largest central square of frames or segments, (T, H, W, ...)."""
    side = min(images.shape[1:3])
    return interpolate(_crop(images, (side, side), (0.5, 0.5)), size, mode)


def short_side_crop(
    images: Tensor,
    size: Size,
    place: tuple[float, float] = (0.5, 0.5),
    mode: Interpolation = "bicubic",
) -> Tensor:
    """Resize frames or segments (T, H, W, ...) to a short side that fits, then crop the long one.

    Args:
        images: frames or segments.
        size: of the result, a square.
        place: where the crop lies between top and bottom, and left and right, each in [0, 1].
        mode: of the interpolation.

    Raises:
        UsageError: the size is no square.
    """
    if size[0] != size[1]:
        raise UsageError(
            f"cropping from the short side gives squares, image_size is {size}: choose a square"
        )
    height, width = images.shape[1:3]
    short, side = min(height, width), size[0]
    resized = interpolate(images, (side * height // short, side * width // short), mode)
    return _crop(resized, size, place)


@dataclass(frozen=True)
class Fitting:
    """What is done to each clip so that it has the encoder's size, the same for all its frames.

    Args:
        crop: "none" resizes the whole frame; "central" the largest central square; "short_side"
            resizes to the short side and crops the centre; "random" crops anywhere.
        flip: mirror every other clip.
        interpolation: "bicubic" or "bilinear", between the pixels of frames.

    Raises:
        UsageError: there is no such crop or interpolation.
    """

    crop: Crop = "none"
    flip: bool = False
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        if self.crop not in ("none", "central", "short_side", "random"):
            raise UsageError(
                f"crop={self.crop!r} is unknown: choose none, central, short_side or random"
            )
        if self.interpolation not in ("bicubic", "bilinear"):
            raise UsageError(
                f"interpolation={self.interpolation!r} is unknown: choose bicubic or bilinear"
            )

    @property
    def is_random(self) -> bool:
        """Whether a clip can look different the next time it is drawn."""
        return self.flip or self.crop == "random"

    def __call__(
        self, clip: dict[str, Tensor], size: Size, generator: np.random.Generator | None = None
    ) -> dict[str, Tensor]:
        """Fit frames and segments alike.

        Args:
            clip: frames (T, H, W, 3) and segments (T, H, W) by name.
            size: (height, width) of the result.
            generator: draws the place of a random crop, and whether to mirror. None: the central
                crop, and no mirror.
        """
        place = (0.5, 0.5) if generator is None else (generator.random(), generator.random())
        mirror = generator is not None and self.flip and generator.random() < 0.5
        return {
            name: _mirrored(self._fit(images, size, place), mirror) for name, images in clip.items()
        }

    def cropped(self, images: Tensor) -> Tensor:
        """Return what a crop that is not random leaves of images (T, H, W, ...), in their own size.

        To a pixel of the result; a crop from the short side rounds its place once resized.

        Example:
            >>> import torch
            >>> Fitting("central").cropped(torch.arange(6).view(1, 1, 6)).tolist()
            [[[2]]]
        """
        side = min(images.shape[1:3])
        return images if self.crop == "none" else _crop(images, (side, side), (0.5, 0.5))

    def _fit(self, images: Tensor, size: Size, place: tuple[float, float]) -> Tensor:
        if self.crop == "none":
            return interpolate(images, size, self.interpolation)
        if self.crop == "central":
            return central_crop(images, size, self.interpolation)
        place = place if self.crop == "random" else (0.5, 0.5)
        return short_side_crop(images, size, place, self.interpolation)


def _crop(images: Tensor, size: Size, place: tuple[float, float]) -> Tensor:
    # rounded half to even, as torchvision's CenterCrop does
    top, left = (
        round((whole - part) * where)
        for whole, part, where in zip(images.shape[1:3], size, place, strict=True)
    )
    return images[:, top : top + size[0], left : left + size[1]]


def _mirrored(images: Tensor, mirror: bool) -> Tensor:
    return images.flip(2) if mirror else images.contiguous()
