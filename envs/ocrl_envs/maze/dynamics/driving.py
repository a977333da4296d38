"""Driving: where to go next, and which action leads there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.motion import FRAMES_PER_STEP, TURN_PER_FRAME, slide
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.distances import WAYS, fill_distances, is_open
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.task.rules import Rules

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
def is_clear(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    bad: npt.NDArray[np.bool_],
    x: float,
    y: float,
    to_x: float,
    to_y: float,
) -> bool:
    """Return whether the agent can go straight to a place, past no bad cell.

    Args:
        horizontal: int16 (rows + 1, cols), wall runs, -1: open.
        vertical: int16 (rows, cols + 1), wall runs, -1: open.
        bad: bool (rows, cols).
        x: where the agent is.
        y: where the agent is.
        to_x: where it is to go.
        to_y: where it is to go.
    """
    count = 1 + int(math.hypot(to_x - x, to_y - y) / STRIDE)
    dx, dy = (to_x - x) / count, (to_y - y) / count
    for _ in range(count):
        new_x = slide(horizontal, vertical, x, y, dx)
        new_y = slide(vertical.T, horizontal.T, y, new_x, dy)
        if new_x != x + dx or new_y != y + dy or bad[int(new_y), int(new_x)]:
            return False
        x, y = new_x, new_y
    return True


@kernel
def waypoints(maps: Maps, rules: Rules, state: State, targets: npt.NDArray[np.float64]) -> None:
    """Write the furthest place on each shortest way that can be driven to straight.

    The way leads to the goal, or where there is none to the nearest good thing that is left,
    around the bad ones if that can be.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        targets: (N, 2), x and y in cells, written; where nothing is left, the agent's own place.
    """
    rows, cols = state.distance.shape[1:]
    for i in range(len(targets)):
        layout = state.layout[i]
        horizontal, vertical = maps.horizontal[layout], maps.vertical[layout]
        x, y = float(state.position[i, 0]), float(state.position[i, 1])
        row, col = int(y), int(x)
        steps = state.distance[i]
        bad = np.zeros((rows, cols), np.bool_)
        if not rules.has_goal:
            good = np.zeros((rows, cols), np.bool_)
            _note_things(rules, state, i, good, bad)
            steps = np.empty((rows, cols), np.int16)
            fill_distances(horizontal, vertical, good, bad, steps)
            if steps[row, col] < 0:
                bad[:] = False
                fill_distances(horizontal, vertical, good, bad, steps)
        targets[i, 0], targets[i, 1] = x, y
        if steps[row, col] == 0:
            targets[i, 0], targets[i, 1] = col + 0.5, row + 0.5
        is_next = True
        while steps[row, col] > 0:
            for way in range(4):
                down, right = WAYS[way]
                is_near = is_open(horizontal, vertical, row, col, way)
                if is_near and 0 <= steps[row + down, col + right] < steps[row, col]:
                    row, col = row + down, col + right
                    break
            if not is_next and not is_clear(horizontal, vertical, bad, x, y, col + 0.5, row + 0.5):
                break
            is_next = False
            targets[i, 0], targets[i, 1] = col + 0.5, row + 0.5


@kernel
def _note_things(
    rules: Rules,
    state: State,
    i: int,
    good: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.bool_],
) -> None:
    """Mark the cells, bool (rows, cols), with good and with bad things left in maze ``i``."""
    for thing in range(state.kind.shape[1]):
        if state.present[i, thing]:
            row, col = int(state.place[i, thing, 1]), int(state.place[i, thing, 0])
            (good if thing < rules.num_good else bad)[row, col] = True


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
