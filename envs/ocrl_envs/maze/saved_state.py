"""The state of mazes, put back once it is known to be in range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.objects import KINDS
from ocrl_envs.maze.dynamics.motion import CLEARANCE, TOP_SPEED
from ocrl_envs.maze.simulation import Simulation


def restore(
    own: Mapping[str, npt.NDArray[Any]],
    saved: Mapping[str, npt.NDArray[Any]],
    limits: Mapping[str, tuple[Any, Any]],
) -> None:
    """Write saved arrays over those of mazes made alike: all of them or none.

    Args:
        own: arrays of the mazes by name, written.
        saved: what they held at the time.
        limits: of `limits_of`.

    Raises:
        UsageError: an array is missing, of another shape or type, or out of range.
    """
    for name, array in own.items():
        values = saved.get(name)
        if values is None or values.dtype != array.dtype or values.shape != array.shape:
            found = "nothing" if values is None else f"{values.dtype} {values.shape}"
            raise UsageError(
                f"the state of these mazes has {name}, {array.dtype} {array.shape}, not {found}: "
                "give that of mazes made alike"
            )
        low, high = limits.get(name, (-math.inf, math.inf))
        # nan is in no range
        if not ((values >= low) & (values <= high)).all():
            raise UsageError(
                f"the state of these mazes has {name} out of range: give it as it was saved"
            )
    for name, array in own.items():
        array[...] = saved[name]


def limits_of(simulation: Simulation) -> dict[str, tuple[Any, Any]]:
    """Return the smallest and largest value in each array, by coordinate where these differ.

    The compiled loops trust what they index with.
    """
    state, looks = simulation.state, simulation.looks
    rows, cols = state.distance.shape[1:]
    size = np.array([cols, rows])
    num_styles = len(looks.zenith)
    return {
        "layout": (0, len(simulation.layouts) - 1),
        "style": (0, num_styles - 1),
        "picture": (0, len(looks.texels) - 2 * num_styles - 1),
        "position": (CLEARANCE, size - CLEARANCE),
        "velocity": (-2 * TOP_SPEED, 2 * TOP_SPEED),
        "heading": (0, 2 * math.pi + 1e-6),
        "turning": (-1, 1),
        "distance": (-1, rows * cols),
        "kind": (-1, len(KINDS) - 1),
        "place": (0, size - 0.5),
        "steps": (0, simulation.level.num_steps),
        "shortest": (-1, rows * cols),
        "travelled": (0, math.inf),
    }
