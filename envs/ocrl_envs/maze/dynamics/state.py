"""The state of all mazes: where agents and things are, and what an episode has brought so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class State(NamedTuple):
    """N mazes with K things each; lengths in cells, x to the east, y to the south.

    Attributes:
        rng: uint64 (N, 1), of the random numbers.
        layout: int64 (N,).
        style: int64 (N, 1), of walls, floor and sky.
        picture: int64 (N, P), pictures on the walls.
        position: float32 (N, 2), (x, y).
        velocity: float32 (N, 2), cells per second.
        heading: float32 (N,), radians, 0 is east, growing to the right (clockwise on a map).
        turning: float32 (N,), speed of turning right as a fraction of the top speed of turning.
        distance: int32 (N, R, C), steps between cells to the goal.
        kind: int64 (N, K), -1: no such thing.
        place: float32 (N, K, 2), where each thing is.
        present: bool (N, K), whether it is there or has been taken.
        steps: int64 (N,), decisions since the episode began.
        goals: int64 (N,), reached.
        apples: int64 (N,), good things taken.
        shortest: float32 (N,), steps between cells from the first start to the goal.
        travelled: float32 (N,), way to the first goal, or so far, in cells.
        first_goal: int64 (N,), decisions to the first goal, -1: not reached.
    """

    rng: npt.NDArray[np.uint64]
    layout: npt.NDArray[np.int64]
    style: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    position: npt.NDArray[np.float32]
    velocity: npt.NDArray[np.float32]
    heading: npt.NDArray[np.float32]
    turning: npt.NDArray[np.float32]
    distance: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int64]
    place: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    goals: npt.NDArray[np.int64]
    apples: npt.NDArray[np.int64]
    shortest: npt.NDArray[np.float32]
    travelled: npt.NDArray[np.float32]
    first_goal: npt.NDArray[np.int64]


def empty_state(num_envs: int, num_things: int, num_pictures: int, rows: int, cols: int) -> State:
    """Return the state of mazes in which no episode has begun."""
    return State(
        rng=np.zeros((num_envs, 1), np.uint64),
        layout=np.zeros(num_envs, np.int64),
        style=np.zeros((num_envs, 1), np.int64),
        picture=np.zeros((num_envs, num_pictures), np.int64),
        position=np.zeros((num_envs, 2), np.float32),
        velocity=np.zeros((num_envs, 2), np.float32),
        heading=np.zeros(num_envs, np.float32),
        turning=np.zeros(num_envs, np.float32),
        distance=np.zeros((num_envs, rows, cols), np.int32),
        kind=np.full((num_envs, num_things), -1, np.int64),
        place=np.zeros((num_envs, num_things, 2), np.float32),
        present=np.zeros((num_envs, num_things), np.bool_),
        steps=np.zeros(num_envs, np.int64),
        goals=np.zeros(num_envs, np.int64),
        apples=np.zeros(num_envs, np.int64),
        shortest=np.zeros(num_envs, np.float32),
        travelled=np.zeros(num_envs, np.float32),
        first_goal=np.zeros(num_envs, np.int64),
    )
