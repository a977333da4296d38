"""Our physics against recordings of the real one: the clock, and what is within reach."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numba import njit
from recordings import LEVELS, Piece, needs_recordings, pieces, seen_walls

from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    frame_seconds,
    move_frame,
)
from ocrl_envs.maze.dynamics.stepping import is_within_reach

pytestmark = needs_recordings

HORIZONS = (1, 10, 100)


@njit
def replay(horizontal, vertical, position, velocity, heading, actions, seconds, table):
    """Return where each frame of recorded actions ends in our physics, (T, frames, 2)."""
    position, velocity = position.astype(np.float32), velocity.astype(np.float32)
    places = np.empty((len(actions), FRAMES_PER_STEP, 2))
    for step in range(len(actions)):
        turn, ahead, right = table[actions[step]]
        for frame in range(FRAMES_PER_STEP):
            heading += turn * TURN_PER_FRAME
            move_frame(
                horizontal, vertical, position, velocity, heading, ahead, right, seconds[step]
            )
            places[step, frame] = position
    return places


def wall_runs_seen(level: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the walls of a level as the simulator has them; unseen ones stand."""
    seen = seen_walls(level)
    horizontal, vertical = (np.where(walls == 0, -1, 0).astype(np.int16) for walls in seen)
    horizontal[[0, -1]] = vertical[:, [0, -1]] = 0
    return horizontal, vertical


def place_errors(clock: Callable[[int], float]) -> dict[int, np.ndarray]:
    """Return how far we are off after some decisions, in units, from each start that moved.

    Args:
        clock: seconds of each frame of a decision, by its number in the episode.
    """
    errors: dict[int, list[float]] = {horizon: [] for horizon in HORIZONS}
    for level in LEVELS:
        walls = wall_runs_seen(level)
        for piece in pieces(level):
            steps = len(piece.actions)
            seconds = np.array([clock(step) for step in range(steps)])
            for horizon in HORIZONS:
                for start in range(steps - horizon):
                    span = slice(start, start + horizon)
                    if np.abs(np.diff(piece.position[start : span.stop + 1], axis=0)).sum() < 0.02:
                        continue
                    places = replay(
                        *walls,
                        piece.position[start],
                        piece.velocity[start],
                        piece.heading[start],
                        piece.actions[span],
                        seconds[span],
                        ACTION_TABLE,
                    )
                    off = places[-1, -1] - piece.position[span.stop]
                    errors[horizon].append(100 * float(np.hypot(*off)))
    return {horizon: np.array(values) for horizon, values in errors.items()}


def test_clock_explains_recorded_ways_better_than_others() -> None:
    ours = place_errors(frame_seconds)
    assert [len(ours[horizon]) for horizon in HORIZONS] == [396, 397, 397]
    print("\nclock           median and mean error in units after 1, 10, 100 decisions")
    clocks: dict[str, Callable[[int], float]] = {
        "1/60 s": lambda _: 1 / 60,
        "16.25 ms": lambda _: 0.01625,
        "16 ms": lambda _: 0.016,
        "17 ms": lambda _: 0.017,
        "15 ms": lambda _: 0.015,
        "17 ms for 16": lambda step: 0.017 if step < 16 else 0.016,
    }
    figures = {"ours": ours} | {name: place_errors(clock) for name, clock in clocks.items()}
    for name, errors in figures.items():
        row = [f"{np.median(e):6.2f} {e.mean():6.2f}" for e in errors.values()]
        print(f"{name:14s} {'  |  '.join(row)}")
    nominal = figures["1/60 s"]
    for horizon, share in ((1, 0.7), (10, 0.75), (100, 0.85)):
        assert ours[horizon].mean() < share * nominal[horizon].mean()
    for name in clocks:
        assert ours[1].mean() < figures[name][1].mean()
        assert ours[10].mean() < figures[name][10].mean()
    assert np.median(ours[1]) < 0.25
    assert np.median(ours[10]) < 0.5


def takes(piece: Piece, thing: np.ndarray, reach: Callable[[float, float], bool], late: int) -> int:
    """Return the decision in which a thing is taken, -1: never; by the recorded places.

    Args:
        piece: of the recordings.
        thing: where the thing is.
        reach: whether an agent so far to the east and south of it takes it.
        late: frames between touch and reward.
    """
    for step, (before, after) in enumerate(pairwise(piece.position)):
        for frame in range(FRAMES_PER_STEP):
            part = (frame + 1) / FRAMES_PER_STEP
            if reach(*(before + part * (after - before) - thing)):
                return step + (frame + late) // FRAMES_PER_STEP
    return -1


def rewarded() -> list[tuple[Piece, np.ndarray, int]]:
    """Return each recorded reward: its piece, the middle of the apple's cell, the decision."""
    return [
        (piece, np.floor(piece.position[step + 1]) + 0.5, int(step))
        for level in LEVELS
        for piece in pieces(level)
        for step in np.flatnonzero(piece.rewards)
    ]


def test_reach_explains_recorded_rewards() -> None:
    rewards = rewarded()
    assert len(rewards) == 8

    def square(east: float, south: float) -> bool:
        return max(abs(east), abs(south)) <= 0.36

    hits = {
        name: sum(takes(piece, apple, reach, late) == step for piece, apple, step in rewards)
        for name, reach, late in (
            ("ours", is_within_reach, 1),
            ("ours, at once", is_within_reach, 0),
            ("0.36 on both axes", square, 1),
            ("0.36 on both axes, at once", square, 0),
        )
    }
    print(f"\nrewards foretold to the decision, of 8: {hits}")
    assert hits["ours"] == 8
    assert hits["0.36 on both axes, at once"] < 8
