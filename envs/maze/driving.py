"""Driving: which cell to go to next, and which action gets there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from envs.maze.episodes import fill_distances
from envs.maze.motion import FRAMES_PER_STEP, TURN_PER_FRAME
from envs.maze.simulation import Simulation
from envs.maze.world import State

TURN_PER_STEP = FRAMES_PER_STEP * TURN_PER_FRAME
# east, south, west, north: the order in which the heading grows
WAYS = ((0, 1), (1, 0), (0, -1), (-1, 0))

_LOOK_LEFT, _LOOK_RIGHT, _FORWARD, _, _, _, _FORWARD_LEFT, _FORWARD_RIGHT = range(8)


def drive_towards(state: State, targets: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    """Return the actions that bring each agent to a place it can see.

    Args:
        state: of all mazes.
        targets: (N, 2), x and y.
    """
    gap = targets - state.position
    error = np.arctan2(gap[:, 1], gap[:, 0]) - state.heading
    error = (error + np.pi) % (2 * np.pi) - np.pi
    right = error > 0
    turn = np.where(right, _LOOK_RIGHT, _LOOK_LEFT)
    curve = np.where(right, _FORWARD_RIGHT, _FORWARD_LEFT)
    off = np.abs(error)
    return np.where(
        off > 4 * TURN_PER_STEP, turn, np.where(off > TURN_PER_STEP / 2, curve, _FORWARD)
    )


def is_open(simulation: Simulation, index: int, row: int, col: int, way: int) -> bool:
    """Return whether no wall stands on one side of a cell."""
    layout = simulation.layouts[simulation.state.layout[index]]
    down, right = WAYS[way]
    if down:
        return not layout.horizontal[row + (down > 0), col]
    return not layout.vertical[row, col + (right > 0)]


def next_cells_on_right(simulation: Simulation, index: int) -> tuple[int, int]:
    """Return the cell that a right hand on the wall leads to: right, ahead, left or back."""
    x, y = simulation.state.position[index]
    row, col = int(y), int(x)
    facing = round(float(simulation.state.heading[index]) / (np.pi / 2)) % 4
    for turn in (1, 0, 3, 2):
        way = (facing + turn) % 4
        if is_open(simulation, index, row, col, way):
            return row + WAYS[way][0], col + WAYS[way][1]
    return row, col


def next_cells_on_path(simulation: Simulation) -> npt.NDArray[np.float64]:
    """Return the middle of the next cell on the shortest way to what is sought, (N, 2)."""
    state = simulation.state
    targets = state.position.astype(np.float64)
    for index in range(simulation.num_envs):
        distance = _distances_to_sought(simulation, index)
        x, y = state.position[index]
        row, col = int(y), int(x)
        if distance[row, col] <= 0:
            targets[index] = col + 0.5, row + 0.5
            continue
        for way, (down, right) in enumerate(WAYS):
            near = row + down, col + right
            if is_open(simulation, index, row, col, way) and distance[near] < distance[row, col]:
                targets[index] = near[1] + 0.5, near[0] + 0.5
                break
    return targets


def _distances_to_sought(simulation: Simulation, index: int) -> npt.NDArray[np.int16]:
    """Return the steps from each cell to the goal, or to the nearest good thing left."""
    state, level = simulation.state, simulation.level
    if level.has_goal:
        to_goal: npt.NDArray[np.int16] = state.distance[index]
        return to_goal
    maps, layout = simulation.maps, state.layout[index]
    nearest = np.zeros(state.distance.shape[1:], np.int16)
    x, y = state.position[index]
    best = np.iinfo(np.int16).max
    for thing in np.flatnonzero(state.present[index, : level.num_good]):
        col, row = state.place[index, thing].astype(int)
        steps = np.empty_like(nearest)
        fill_distances(maps.horizontal[layout], maps.vertical[layout], row, col, steps)
        if steps[int(y), int(x)] < best:
            best, nearest = steps[int(y), int(x)], steps
    return nearest
