"""Textures at every scale, packed for the renderer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.texture_families import Image


def level_offsets(size: int) -> npt.NDArray[np.int64]:
    """Return where each scale, from ``size`` down to 1 texel per side, starts in a chain."""
    sizes = size >> np.arange(size.bit_length())
    return np.concatenate([[0], np.cumsum(sizes**2)])


def pack_texels(surface: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint32]:
    """Return colours in [0, 255], (..., 3), as texels 0x00BBGGRR, uint32 (...,)."""
    texels = (surface + 0.5).astype(np.uint32)
    return (texels[..., 0] | texels[..., 1] << 8 | texels[..., 2] << 16).astype(np.uint32)


def shrink(picture: npt.NDArray[Any], factor: int) -> Image:
    """Return the means of squares of ``factor`` pixels a side of a picture, (H, W, 3), uint8."""
    size = len(picture) // factor
    means = picture.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    rounded: Image = (means + 0.5).astype(np.uint8)
    return rounded


def mip_chain(image: Image) -> npt.NDArray[np.uint32]:
    """Return all scales of a square image, each the mean of 2 x 2 texels of the one before.

    Texels are 0x00BBGGRR, column after column (a ray's hits on a wall run down a column).

    Args:
        image: uint8 (size, size, 3), size a power of two.

    Returns:
        uint32 (number of texels of all scales,).
    """
    surface = image.transpose(1, 0, 2).astype(np.float32)
    chain = []
    while True:
        chain.append(pack_texels(surface).ravel())
        if len(surface) == 1:
            return np.concatenate(chain)
        pairs = surface[0::2] + surface[1::2]
        surface = (pairs[:, 0::2] + pairs[:, 1::2]) * np.float32(0.25)
