"""Images: grids of them, larger ones, and files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from ocrl.errors import UsageError
from ocrl.files import whole_file

Image = NDArray[np.uint8]
Pixel = TypeVar("Pixel", bound=np.integer)


def image_grid(rows: Sequence[Iterable[Image]], gap: int = 2) -> Image:
    """Put rows of images on white, ``gap`` pixels apart; those of a row are equally high.

    Example:
        >>> image_grid([np.zeros((3, 8, 8, 3), np.uint8)] * 2).shape
        (18, 28, 3)
    """
    white = 255
    lines = []
    for row in rows:
        images = [
            np.pad(image, ((0, gap), (0, gap), (0, 0)), constant_values=white) for image in row
        ]
        lines.append(np.concatenate(images, axis=1)[:, :-gap])
    width = max(line.shape[1] for line in lines)
    whole = [
        np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0)), constant_values=white)
        for line in lines
    ]
    return np.concatenate(whole)[:-gap]


def enlarge(images: NDArray[Pixel], height: int) -> NDArray[Pixel]:
    """Repeat pixels so that images (N, H, W, ...) are about ``height`` high, never smaller.

    Example:
        >>> enlarge(np.zeros((1, 64, 48, 3), np.uint8), height=128).shape
        (1, 128, 96, 3)
    """
    factor = max(1, round(height / images.shape[1]))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def save_image(path: str | Path, image: Image) -> None:
    """Write an image uint8 (H, W, 3) as PNG; the file is whole or absent.

    Args:
        path: replaced if it exists; its folder is made.
        image: what to write.
    """
    with whole_file(path) as part:
        iio.imwrite(part, image, extension=".png")


def save_video(path: str | Path, frames: Image, frames_per_second: int = 12) -> None:
    """Write frames uint8 (T, H, W, 3) as a video; the file is whole or absent.

    Args:
        path: ends in ``.mp4`` (H.264) or ``.gif``; replaced if it exists; its folder is made.
        frames: what to write.
        frames_per_second: how fast it plays.

    Raises:
        UsageError: another ending.
    """
    path = Path(path)
    if path.suffix not in (".mp4", ".gif"):
        raise UsageError(f"videos are written as .mp4 or .gif, got {path.name}: change the ending")
    with whole_file(path) as part:
        if path.suffix == ".gif":
            iio.imwrite(part, frames, duration=1000 / frames_per_second, loop=0)
        else:
            # H.264 takes even sizes only.
            odd = [(0, size % 2) for size in frames.shape[1:3]]
            even = np.pad(frames, [(0, 0), *odd, (0, 0)], mode="edge")
            iio.imwrite(part, even, plugin="pyav", codec="h264", fps=frames_per_second)
