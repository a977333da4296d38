"""What a renderer reads and writes: looks in, pictures out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SEGMENT_KINDS = ("sky", "floor", "wall", "picture", "object")
SEGMENT_STRIDE = 4096
SKY, FLOOR, WALL, PICTURE, OBJECT = (SEGMENT_STRIDE * kind for kind in range(5))


class Looks(NamedTuple):
    """Textures, and which of them each of L layouts has.

    Attributes:
        texels: uint32 (textures, texels of all scales).
        wall: int64 (L,), texture.
        floor: int64 (L,), texture.
        picture: int64 (L, P), textures.
        sky: uint32 (L, H), colour of each row of the picture.
    """

    texels: npt.NDArray[np.uint32]
    wall: npt.NDArray[np.int64]
    floor: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    sky: npt.NDArray[np.uint32]


class Views(NamedTuple):
    """Pictures to draw into.

    Attributes:
        frames: uint8 (N, H, W, 3).
        segments: uint16 (N, H, W), or (0, 0, 0) to leave them out.
        depth: float32 (N, H, W), or (0, 0, 0) to leave it out.
    """

    frames: npt.NDArray[np.uint8]
    segments: npt.NDArray[np.uint16]
    depth: npt.NDArray[np.float32]
