"""Driving: where to go next, and which action leads there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.motion import FRAMES_PER_STEP, TURN_PER_FRAME
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.distances import WAYS, is_open

TURN_PER_STEP = FRAMES_PER_STEP * TURN_PER_FRAME
# an agent that is further off turns on the spot: to be fast, and to stay on its line
FAST_TURN, CAREFUL_TURN = 5 * TURN_PER_STEP, 2.5 * TURN_PER_STEP
# steps in which a straight way is tried, in cells
STRIDE = 0.1

_LOOK_LEFT, _LOOK_RIGHT, _FORWARD, _, _, _, _FORWARD_LEFT, _FORWARD_RIGHT = range(8)


def drive_towards(
    state: State, targets: npt.NDArray[np.floating[Any]], sharp_turn: float = FAST_TURN
) -> npt.NDArray[np.int64]:
    """Return the actions, int64 (N,), that bring each agent to a place it can see.

    Who is there turns on the spot.

    Args:
        state: of all mazes.
        targets: (N, 2), x and y in cells.
        sharp_turn: angle in radians from which on an agent turns on the spot.
    """
    gap = targets - state.position
    error = np.arctan2(gap[:, 1], gap[:, 0]) - state.heading
    error = (error + np.pi) % (2 * np.pi) - np.pi
    off, right = np.abs(error), error > 0
    turn = np.where(right, _LOOK_RIGHT, _LOOK_LEFT)
    curve = np.where(right, _FORWARD_RIGHT, _FORWARD_LEFT)
    ahead = np.where(off > TURN_PER_STEP / 2, curve, _FORWARD)
    return np.where((off > sharp_turn) | (gap == 0).all(1), turn, ahead)


@kernel
def cell_on_right(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    x: float,
    y: float,
    heading: float,
) -> tuple[int, int]:
    """Return the cell that a right hand on the wall leads to: right, ahead, left or back."""
    row, col = int(y), int(x)
    facing = round(heading / (math.pi / 2))
    for turn in (1, 0, 3, 2):
        way = (facing + turn) % 4
        if is_open(horizontal, vertical, row, col, way):
            return row + WAYS[way][0], col + WAYS[way][1]
    return row, col
