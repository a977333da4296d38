"""One id for each pixel, of instance masks that may overlap and need not cover everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEFT_OUT = -1
"""Id of pixels that no score counts: two instances claim them, or annotators left them open."""


def exclusive_ids(
    masks: NDArray[np.bool_], ids: NDArray[np.integer] | None = None
) -> NDArray[np.int32]:
    """Return the id of the one mask that each pixel is in: 0 for none, -1 for several.

    Masks of the same id may overlap: together they are one segment, such as a category.

    Args:
        masks: bool (N, ...), one for each instance.
        ids: integers (N,), above 0. By default 1 to N.

    Returns:
        int32 (...).

    Example:
        >>> exclusive_ids(np.array([[1, 1, 0, 0], [0, 1, 1, 0]], bool))
        array([ 1, -1,  2,  0], dtype=int32)
    """
    ids = np.arange(1, len(masks) + 1) if ids is None else ids
    result = np.zeros(masks.shape[1:], np.int32)
    for mask, number in zip(masks, ids, strict=True):
        taken = mask & (result != 0) & (result != number)
        result[mask] = number
        result[taken] = LEFT_OUT
    return result
