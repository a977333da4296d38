"""Words and numbers in pictures: titles of rows and panes, numbers of segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

from ocrl.visualization.images import Image

HEIGHT = 16
"""Of a title, in pixels."""

LEGIBLE = 48
"""Pictures smaller than this have no room for words, and get none."""

SMALLEST = 0.01
"""Share of a picture that a segment has to have for a number of its own."""


def title(text: str, width: int) -> Image:
    """Write a title, black on white.

    >>> title("slots", 64).shape
    (16, 64, 3)
    """
    canvas = PillowImage.new("RGB", (width, HEIGHT), "white")
    font = ImageFont.load_default(11)
    ImageDraw.Draw(canvas).text((width / 2, HEIGHT / 2), text, "black", font, anchor="mm")
    return np.array(canvas)


def with_title(frames: Image, text: str) -> Image:
    """Put a title above pictures uint8 (N, H, W, 3), unless they are too small for it.

    >>> with_title(np.zeros((2, 64, 64, 3), np.uint8), "frame").shape
    (2, 80, 64, 3)
    """
    if min(frames.shape[1:3]) < LEGIBLE:
        return frames
    bar = title(text, frames.shape[2])
    return np.concatenate([np.broadcast_to(bar, (len(frames), *bar.shape)), frames], axis=1)


def titled_row(text: str, pictures: Sequence[Image] | Image) -> list[Image]:
    """Return a row of pictures, all of one size, after its title, which is to be read upwards.

    Pictures that are too small for it have none.

    >>> [picture.shape for picture in titled_row("slots", np.zeros((1, 72, 96, 3), np.uint8))]
    [(72, 16, 3), (72, 96, 3)]
    """
    height = len(pictures[0])
    return [*([np.rot90(title(text, height))] if height >= LEGIBLE else []), *pictures]


def number_segments(pictures: Image, segments: NDArray[np.integer]) -> Image:
    """Write the number of each segment inside it, where it is widest.

    Args:
        pictures: uint8 (N, H, W, 3).
        segments: integers (N, H, W).

    Returns:
        uint8 (N, H, W, 3).
    """
    if min(pictures.shape[1:3]) < LEGIBLE:
        return pictures
    font = ImageFont.load_default(12)
    numbered = []
    for picture, ids in zip(pictures, segments, strict=True):
        canvas = PillowImage.fromarray(picture)
        draw = ImageDraw.Draw(canvas)
        for number in np.unique(ids):
            inside = np.pad(ids == number, 1)
            if inside.mean() < SMALLEST:
                continue
            widest = distance_transform_edt(inside).argmax()
            row, column = np.array(np.unravel_index(widest, inside.shape)) - 1
            draw.text(
                (column, row), str(number), "white", font, "mm", stroke_width=1, stroke_fill="black"
            )
        numbered.append(np.array(canvas))
    return np.stack(numbered)
