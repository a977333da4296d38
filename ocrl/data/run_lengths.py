"""Masks as COCO and YouTube-VIS write them: polygons and run lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.images import check_same_size
from ocrl.errors import UsageError
from ocrl.reading import fits, read_object

LARGEST_CATEGORY = 255
"""Shards have a byte for it, as the official ones."""


def read_annotations(path: Path, entries: tuple[str, ...]) -> dict[str, Any]:
    """Return an annotation file that has these lists.

    Raises:
        UsageError: it is missing, no JSON, or lacks one of them.
    """
    advice = "give the annotation file of instances as published"
    fields = dict.fromkeys(entries, list[dict[str, Any]])
    return read_object(path, "annotation file", advice, fields=fields)


def category_ids(annotations: dict[str, Any], source: Path) -> set[int]:
    """Return the ids of the categories that an annotation file lists.

    Raises:
        UsageError: one is no number from 1 to 255; 0 is what no instance covers.
    """
    ids = [category.get("id") for category in annotations["categories"]]
    for number in ids:
        if not fits(number, int) or not 1 <= number <= LARGEST_CATEGORY:
            raise UsageError(
                f"{source} lists a category with id {number!r:.20}, expected 1 to "
                f"{LARGEST_CATEGORY}: give the annotation file as published"
            )
    return set(ids)


def decode_mask(segmentation: Any, size: tuple[int, int], source: Path) -> NDArray[np.bool_]:
    """Return a mask, bool (H, W), of polygons or run lengths.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...], or ``{"counts": ..., "size": [H, W]}``.
        size: (H, W) of the image.
        source: the file it comes from, for the error.

    Raises:
        UsageError: it is neither, or pycocotools is not installed.
    """
    coco = _coco()
    try:
        if isinstance(segmentation, list):
            # pycocotools would fill the memory with points on the way there
            if not (np.abs(np.concatenate(segmentation)) <= 10 * max(size)).all():
                raise ValueError("a corner is NaN, or far outside of the image")
            encoded = coco.merge(coco.frPyObjects(segmentation, *size))
        else:
            given, counts = segmentation["size"], segmentation["counts"]
            check_same_size(source, tuple(map(int, given)), size)  # before it is allocated
            counts = counts if isinstance(counts, list) else read_counts(counts)
            # pycocotools would leave the rest as it finds the memory
            if not fits(counts, list[int]) or min(counts, default=0) < 0:
                raise ValueError("run lengths are whole numbers, 0 or more")
            if sum(counts) != size[0] * size[1]:
                raise ValueError(f"run lengths of {sum(counts)} pixels in all, not {size}")
            encoded = coco.frPyObjects({"size": list(size), "counts": counts}, *size)
        mask: NDArray[np.bool_] = coco.decode(encoded).astype(bool)
    except UsageError:
        raise
    except Exception as error:  # pycocotools raises nothing more special
        raise UsageError(
            f"{source}: a mask is neither polygons nor run lengths ({error}): copy it again"
        ) from None
    return mask


def read_counts(text: str | bytes) -> list[int]:
    """Return the run lengths in COCO's text: digits of 5 bits, from the third on differences.

    >>> read_counts(encode_mask(np.eye(3, dtype=bool))["counts"])
    [0, 1, 3, 1, 3, 1]

    Raises:
        ValueError: it ends within a number, or has other letters.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text.encode() if isinstance(text, str) else text:
        digit = letter - 48
        if not 0 <= digit < 64:
            raise ValueError(f"there is no digit {chr(letter)!r} in run lengths")
        value |= (digit & 31) << shift
        shift += 5
        if shift > 40:
            raise ValueError("a run length has too many digits")
        if not digit & 32:  # the last of a number, with its sign
            value -= (digit & 16) << (shift - 4)
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    if shift:
        raise ValueError("run lengths end within a number")
    return counts


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return run lengths as COCO's results have them, ``{"size": [H, W], "counts": text}``.

    Raises:
        UsageError: pycocotools is not installed.
    """
    encoded = _coco().encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(n) for n in encoded["size"]], "counts": encoded["counts"].decode()}


def _coco() -> Any:
    try:
        from pycocotools import mask
    except ImportError:
        raise UsageError(
            "masks of COCO and YouTube-VIS need pycocotools: pip install 'ocrl[data]'"
        ) from None
    return mask
