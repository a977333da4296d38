"""What depends on the size of the picture alone: tables for its columns and rows."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.rendering.mipmaps import level_offsets

FIELD_OF_VIEW = math.radians(90)
EYE_HEIGHT = 0.51


class Camera(NamedTuple):
    """A pinhole camera at eye height that looks ahead, H = W pixels.

    Attributes:
        focal: distance of the picture plane in pixels.
        slope: float32 (W,), tangent of the angle of each column to the right of the view.
        row_distance: float32 (H,), along the view, to where each row meets the floor; inf above.
        row_level: int64 (H,), scale of the floor's texture in each row.
        row_light: uint32 (H,), light on the floor in each row, in 1/256.
        row_haze: uint32 (H,), how much of the sky's colour is the horizon's, in 1/256.
        offsets: int64, where each scale of a texture starts.
        texture_size: texels per side at the finest scale.
    """

    focal: float
    slope: npt.NDArray[np.float32]
    row_distance: npt.NDArray[np.float32]
    row_level: npt.NDArray[np.int64]
    row_light: npt.NDArray[np.uint32]
    row_haze: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    texture_size: int


@kernel
def light_at(distance: float) -> float:
    """Return how much of the light is left at a distance in cells."""
    return 0.6 + 0.4 / (1.0 + 0.02 * distance * distance)


@kernel
def covered(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the first pixel, and the one after the last, whose middles lie in [low, high)."""
    return max(math.ceil(low - 0.5), 0), min(math.ceil(high - 0.5), size)


@lru_cache
def make_camera(image_size: int, texture_size: int) -> Camera:
    """Return the camera of a square picture."""
    focal = image_size / 2 / math.tan(FIELD_OF_VIEW / 2)
    centre = np.arange(image_size) + 0.5 - image_size / 2
    with np.errstate(divide="ignore"):
        distance = np.where(centre > 0, EYE_HEIGHT * focal / np.maximum(centre, 1e-9), np.inf)
    # a pixel covers distance / focal across and distance^2 / (focal * height) along the view
    footprint = distance**1.5 / (focal * math.sqrt(EYE_HEIGHT)) * texture_size
    top_level = texture_size.bit_length() - 1
    level = np.ceil(np.log2(np.maximum(footprint, 1.0)) - 0.25).clip(0, top_level)
    return Camera(
        focal=focal,
        slope=(centre / focal).astype(np.float32),
        row_distance=distance.astype(np.float32),
        row_level=np.where(np.isfinite(distance), level, top_level).astype(np.int64),
        row_light=np.array([256 * light_at(place) for place in distance]).astype(np.uint32),
        row_haze=(256 * np.clip(1 + centre / (image_size / 2), 0, 1) ** 3).astype(np.uint32),
        offsets=level_offsets(texture_size),
        texture_size=texture_size,
    )
