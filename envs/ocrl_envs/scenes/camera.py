"""Cameras that look at the middle of the scene, at rest or on a straight line."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.scenes.appearance import direction
from ocrl_envs.scenes.records import VIEW, Records

FIELD_OF_VIEW = math.degrees(2 * math.atan(32 / 2 / 35))  # of a 35 mm lens before a 32 mm sensor
TARGET = np.array([0.0, 0.0, 0.4])


def views(
    rng: np.random.Generator, num_frames: int, distance: tuple[float, float], travel: float
) -> list[Records]:
    """Return where the camera is in each frame, each VIEW (1,).

    Args:
        rng: where chance comes from.
        num_frames: how many.
        distance: least and largest distance of the path's middle from the scene's middle.
        travel: largest length of the path; 0 is a camera at rest.
    """
    middle = TARGET + rng.uniform(*distance) * direction(rng, 15, 55)
    along = direction(rng, -20, 20) * rng.uniform(0.25 * travel, travel)
    shares = np.linspace(-0.5, 0.5, num_frames)
    return [look_at(middle + share * along) for share in shares]


def look_at(position: npt.NDArray[np.float64]) -> Records:
    """Return the view from a place to the middle, with the horizon level, VIEW (1,)."""
    backward = (position - TARGET) / np.linalg.norm(position - TARGET)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    view = np.zeros(1, VIEW)
    view["position"], view["right"], view["backward"] = position, right, backward
    view["up"] = np.cross(backward, right)
    view["slope"] = math.tan(math.radians(FIELD_OF_VIEW / 2))
    return view
