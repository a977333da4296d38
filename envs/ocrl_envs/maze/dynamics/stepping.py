"""One decision for a batch of mazes: move, pick up, respawn."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.episodes import put_agent
from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    frame_seconds,
    move_frame,
)
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.task.rules import Rules

GOAL_REWARD = 10.0
THING_REWARD = 1.0
# how far the agent may be from a thing that it takes: to its west, to its east, north or south
REACH_WEST, REACH_EAST, REACH_ACROSS = 0.50, 0.44, 0.36


@kernel
def is_within_reach(east: float, south: float) -> bool:
    """Return whether an agent so far to the east and south of a thing takes it."""
    return -REACH_WEST <= east <= REACH_EAST and abs(south) <= REACH_ACROSS


@kernel
def _pick_up(maps: Maps, rules: Rules, state: State, i: int) -> float:
    """Take what agent ``i`` touches and return the reward; the goal makes the agent start anew."""
    reward = 0.0
    x, y = state.position[i]
    for thing in range(state.kind.shape[1]):
        if not state.present[i, thing]:
            continue
        place = state.place[i, thing]
        if not is_within_reach(x - place[0], y - place[1]):
            continue
        state.present[i, thing] = False
        if state.kind[i, thing] == rules.goal_kind:
            if state.first_goal[i] < 0:
                state.first_goal[i] = state.steps[i] + 1
            state.goals[i] += 1
            put_agent(maps, rules, state, i)
            return reward + GOAL_REWARD
        if thing - rules.has_goal < rules.num_good:
            state.apples[i] += 1
            reward += THING_REWARD
        else:
            reward -= THING_REWARD
    return reward


@kernel
def step_batch(
    maps: Maps,
    rules: Rules,
    state: State,
    actions: npt.NDArray[np.int64],
    active: npt.NDArray[np.bool_],
    rewards: npt.NDArray[np.float64],
) -> None:
    """Advance all active mazes by one decision, in place.

    In each frame the agent first takes what it has come upon in the frame before, then moves.

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        actions: int64 (N,), rows of ``ACTION_TABLE``.
        active: bool (N,); the others stand still.
        rewards: float64 (N,), added to.
    """
    for i in range(len(actions)):
        if not active[i]:
            continue
        turn, ahead, right = ACTION_TABLE[actions[i]]
        seconds = frame_seconds(state.steps[i])
        layout = state.layout[i]
        state.turning[i] = turn
        for _ in range(FRAMES_PER_STEP):
            rewards[i] += _pick_up(maps, rules, state, i)
            heading = state.heading[i] + turn * TURN_PER_FRAME
            heading -= 2 * math.pi * math.floor(heading / (2 * math.pi))
            state.heading[i] = np.float32(heading)
            before_x, before_y = state.position[i]
            move_frame(
                maps.horizontal[layout],
                maps.vertical[layout],
                state.position[i],
                state.velocity[i],
                state.heading[i],
                ahead,
                right,
                seconds,
            )
            if state.first_goal[i] < 0:
                after_x, after_y = state.position[i]
                state.travelled[i] += math.hypot(after_x - before_x, after_y - before_y)
        state.steps[i] += 1
