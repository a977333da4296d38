"""Facts: what a frame of a maze shows, as numbers that a representation of it should tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.ground_truth import GroundTruth, observe_truth
from ocrl_envs.maze.simulation import Simulation
from ocrl_envs.maze.tokens import look_around

DIRECTIONS = ("far left", "left", "ahead", "right", "far right")
"""Of walls: 39 and 21 degrees to the left, ahead, and as far to the right."""


def list_facts(simulation: Simulation) -> dict[str, npt.NDArray[Any]]:
    """Return for each maze how near walls are, and whether and where things are visible.

    Nearness is 1 / (1 + cells), a bearing in radians to the right of the heading. Of the things of
    a role the nearest that is visible counts; nan: there is none.

    Returns:
        Arrays (N,) by name: booleans and float32. Roles that the level does not have are left out.
    """
    truth, rules = observe_truth(simulation), simulation.rules
    nearness = look_around(truth, len(DIRECTIONS))
    facts: dict[str, npt.NDArray[Any]] = {
        f"wall {direction}": near for direction, near in zip(DIRECTIONS, nearness.T, strict=True)
    }
    first = 0
    for role, number in (
        ("goal", int(rules.has_goal)),
        ("good thing", rules.num_good),
        ("bad thing", rules.num_bad),
    ):
        if number:
            facts |= nearest_visible(truth, role, slice(first, first + number))
        first += number
    return facts


def nearest_visible(truth: GroundTruth, role: str, things: slice) -> dict[str, npt.NDArray[Any]]:
    """Return whether one of some things is visible, and where the nearest of those is."""
    offset = truth.object_position[:, things] - truth.position[:, None]
    distance = np.hypot(*np.moveaxis(offset, -1, 0))
    distance[truth.object_pixels[:, things] == 0] = np.inf
    mazes, nearest = np.arange(len(distance)), distance.argmin(1)
    distance = distance[mazes, nearest]
    east, south = offset[mazes, nearest].T
    bearing = np.arctan2(south, east) - truth.heading
    bearing = (bearing + np.pi) % (2 * np.pi) - np.pi
    visible = np.isfinite(distance)
    return {
        f"{role} visible": visible,
        f"{role} bearing": np.where(visible, bearing, np.nan).astype(np.float32),
        f"{role} nearness": np.where(visible, 1 / (1 + distance), np.nan).astype(np.float32),
    }
