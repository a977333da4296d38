"""What scenes are made of: recipes in the manner of MOVi-A, MOVi-C and MOVi-E."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocrl_envs.errors import UsageError
from ocrl_envs.scenes.shapes import SIMPLE, THINGS, Shape


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What scenes are made of.

    Attributes:
        shapes: which kinds of objects there are.
        textured: patterns on objects and floor and a sky, instead of plain colours in a studio.
        num_thrown: least and largest number of objects in the air at the start.
        num_resting: least and largest number of objects that lie on the floor at the start.
        reach: least and largest radius of an object.
        camera_travel: largest length of the camera's path; 0 is a camera at rest.
        camera_distance: least and largest distance of the camera from the middle.
        image_size: (height, width).
        num_frames: of a video.
        frames_per_second: of a video.

    Raises:
        UsageError: numbers out of range.
    """

    shapes: tuple[Callable[[np.random.Generator], Shape], ...]
    textured: bool
    num_thrown: tuple[int, int]
    num_resting: tuple[int, int] = (0, 0)
    reach: tuple[float, float] = (0.55, 1.05)
    camera_travel: float = 0.0
    camera_distance: tuple[float, float] = (6.5, 8.5)
    image_size: tuple[int, int] = (64, 64)
    num_frames: int = 24
    frames_per_second: float = 12.0

    def __post_init__(self) -> None:
        for name in ("num_thrown", "num_resting", "reach", "camera_distance"):
            least, largest = getattr(self, name)
            is_count = name.startswith("num_")
            if least > largest or least < 0 or (least == 0 and not is_count):
                raise UsageError(
                    f"{name}=({least}, {largest}): give (least, largest), "
                    f"{'none below 0' if is_count else 'both above 0'}"
                )
        if self.camera_travel < 0:
            raise UsageError(f"camera_travel={self.camera_travel}: 0 is a camera at rest")
        most = self.num_thrown[1] + self.num_resting[1]
        if not 1 <= self.num_thrown[0] + self.num_resting[0] <= most <= 255:
            raise UsageError(
                f"a scene has 1 to 255 objects, got num_thrown={self.num_thrown} and "
                f"num_resting={self.num_resting}: each is (least, largest)"
            )
        if min(self.image_size) < 16 or self.num_frames < 1 or self.frames_per_second <= 0:
            raise UsageError(
                f"videos have a frame of 16x16 pixels at least, got {self.num_frames} frames of "
                f"{self.image_size} at {self.frames_per_second} a second: choose larger numbers"
            )


def movi_a_like(**changes: Any) -> Recipe:
    """Return 3 to 8 cubes, balls and cylinders of plain colours, thrown, seen by a camera at rest.

    Args:
        changes: attributes of the recipe that differ.

    Example:
        >>> movi_a_like(image_size=(128, 128)).num_thrown
        (3, 8)
    """
    return Recipe(**{"shapes": SIMPLE, "textured": False, "num_thrown": (3, 8), **changes})


def movi_c_like(**changes: Any) -> Recipe:
    """Return 3 to 8 textured things, thrown, on a textured floor under a sky.

    Args:
        changes: attributes of the recipe that differ.
    """
    recipe = {"shapes": THINGS, "textured": True, "num_thrown": (3, 8), "reach": (0.75, 1.35)}
    return Recipe(**{**recipe, **changes})


def movi_e_like(**changes: Any) -> Recipe:
    """Return 8 to 16 textured things at rest and 1 to 3 thrown ones, seen by a moving camera.

    Args:
        changes: attributes of the recipe that differ.
    """
    recipe = {
        "shapes": THINGS,
        "textured": True,
        "num_thrown": (1, 3),
        "num_resting": (8, 16),
        "reach": (0.6, 1.2),
        "camera_travel": 4.0,
    }
    return Recipe(**{**recipe, **changes})
