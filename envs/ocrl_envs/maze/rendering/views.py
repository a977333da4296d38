"""What the renderer draws into, and how it numbers segments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.protocols import SEGMENT_STRIDE

SEGMENT_KINDS = ("sky", "floor", "wall", "picture", "object")
NUM_STUFF = SEGMENT_KINDS.index("picture")
SKY, FLOOR, WALL, PICTURE, OBJECT = (SEGMENT_STRIDE * kind for kind in range(5))


class Views(NamedTuple):
    """Pictures to draw into.

    Attributes:
        frames: uint8 (N, H, W, 3), or (0, 0, 0, 3) to leave them out.
        segments: uint16 (N, H, W), or (0, 0, 0) to leave them out.
        depth: float32 (N, H, W), or (0, 0, 0) to leave it out.
    """

    frames: npt.NDArray[np.uint8]
    segments: npt.NDArray[np.uint16]
    depth: npt.NDArray[np.float32]


def truth_only(shape: tuple[int, int, int]) -> Views:
    """Return views (N, H, W) of segments and depth alone, without frames."""
    frames = np.empty((0, 0, 0, 3), np.uint8)
    return Views(frames, np.empty(shape, np.uint16), np.empty(shape, np.float32))


def frames_only(frames: npt.NDArray[np.uint8]) -> Views:
    """Return views of frames alone, without segments and depth."""
    return Views(frames, np.empty((0, 0, 0), np.uint16), np.empty((0, 0, 0), np.float32))
