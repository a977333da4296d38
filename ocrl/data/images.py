"""Images and masks on disk, decoded when they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ocrl.errors import UsageError


class UnreadableFileError(UsageError):
    """A file is missing, or does not decode: such files may be left out."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return an image as RGB, uint8 (H, W, 3).

    Raises:
        UnreadableFileError: it is missing, or does not decode.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise unreadable(path, error) from None


def image_shape(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image, which is not decoded for it.

    Raises:
        UnreadableFileError: it is missing, or no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise unreadable(path, error) from None


def read_palette(path: Path) -> NDArray[np.uint8]:
    """Return the numbers behind the colours of a palette PNG, uint8 (H, W).

    Raises:
        UnreadableFileError: it is missing, or does not decode.
        UsageError: it has no palette.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise UsageError(
                    f"{path} has colours ({image.mode}) where segments are numbers: take the "
                    "annotations as they were published, PNG with a palette"
                )
            return np.asarray(image)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UnreadableFileError:
    """Return the error that names an image, and what to do about it."""
    return UnreadableFileError(
        f"{path} cannot be read ({reason(error)}): copy it again, or leave such files out with "
        "data.skip_bad=true (of convert_data: skip_bad=true)"
    )


def reason(error: Exception) -> str:
    """Say in one line why a file cannot be read."""
    text = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
    return " ".join(text.split())


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
    try:
        lines = [line.split()[0] for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read ({reason(error)}): copy the list of the published data again"
        ) from None
    if not lines:
        raise UsageError(f"{path} names nothing: copy the list of the published data again")
    return lines
