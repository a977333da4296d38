"""Images and masks on disk, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ocrl.errors import UsageError
from ocrl.reading import read_text, reading

ADVICE = (
    "copy it again, or leave such files out with data.skip_bad=true "
    "(of convert_data: skip_bad=true)"
)


class UnreadableFileError(UsageError):
    """A file is missing, or does not decode: such files may be left out."""


@contextmanager
def decoding(path: Path, what: str, advice: str = ADVICE) -> Iterator[Image.Image]:
    """Open an image; whatever is wrong with the file comes out as one UnreadableFileError."""
    try:
        with reading(path, what, advice), Image.open(path) as image:
            yield image
    except UsageError as error:
        raise UnreadableFileError(str(error)) from error.__cause__


def read_image(path: Path, advice: str = ADVICE, *, upright: bool = False) -> NDArray[np.uint8]:
    """Return an image as RGB, uint8 (H, W, 3).

    Args:
        path: of the image.
        advice: what to do if it cannot be read.
        upright: turn it as its camera noted; data sets have masks of images as they are stored.

    Raises:
        UnreadableFileError: it is missing, or does not decode, or has more than a byte a colour.
    """
    with decoding(path, "image", advice) as image:
        if image.mode.startswith(("I", "F")):  # which Pillow would cut off at 255
            raise ValueError(f"more than 8 bits a colour, {image.mode}: convert it to 8")
        turned = ImageOps.exif_transpose(image) if upright else image
        return np.asarray(turned.convert("RGB"))


def image_shape(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image, which is not decoded for it.

    Raises:
        UnreadableFileError: it is missing, or no image.
    """
    with decoding(path, "image") as image:
        return image.height, image.width


def read_palette(path: Path) -> NDArray[np.uint8]:
    """Return the numbers behind the colours of a palette PNG, uint8 (H, W).

    Raises:
        UnreadableFileError: it is missing, or does not decode.
        UsageError: it has no palette.
    """
    with decoding(path, "mask") as image:
        mode, ids = image.mode, np.asarray(image)
    if mode not in ("P", "L"):
        raise UsageError(
            f"{path} has colours ({mode}) where segments are numbers: take the annotations as "
            "they were published, PNG with a palette"
        )
    return ids


def check_same_size(path: Path, mask: tuple[int, ...], image: tuple[int, ...]) -> None:
    """Raise UsageError unless a mask is as large as its image.

    Args:
        path: of the mask, or of what it was decoded from.
        mask: its (height, width).
        image: (height, width) of the image.
    """
    if mask != image:
        raise UsageError(
            f"{path}: a mask is {mask[0]} x {mask[1]}, its image {image[0]} x {image[1]} (height x "
            "width): copy the annotations that belong to these images"
        )


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a list of names.

    Raises:
        UsageError: it is missing, or has none.
    """
    text = read_text(path, "list of names", "copy the list of the published data again")
    lines = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"{path} names nothing: copy the list of the published data again")
    return lines
