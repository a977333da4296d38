"""Masks as COCO and YouTube-VIS write them: polygons and run lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.errors import UsageError
from ocrl.reading import read_object


def read_annotations(path: Path, entries: tuple[str, ...]) -> dict[str, Any]:
    """Return an annotation file that has these lists.

    Raises:
        UsageError: it is missing, no JSON, or lacks one of them.
    """
    advice = "give the annotation file of instances as published"
    fields = dict.fromkeys(entries, list[dict[str, Any]])
    return read_object(path, "annotation file", advice, fields=fields)


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
    height, width = size
    try:
        if isinstance(segmentation, list):
            # pycocotools would fill the memory with points on the way there
            if not (np.abs(np.concatenate(segmentation)) <= 10 * max(size)).all():
                raise ValueError("a corner is NaN, or far outside of the image")
            encoded = coco.merge(coco.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            encoded = coco.frPyObjects(segmentation, *segmentation["size"])
        else:
            encoded = segmentation
        mask: NDArray[np.bool_] = coco.decode(encoded).astype(bool)
    except Exception as error:  # pycocotools raises nothing more special
        raise UsageError(
            f"{source}: a mask is neither polygons nor run lengths ({error}): copy it again"
        ) from None
    return mask


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
