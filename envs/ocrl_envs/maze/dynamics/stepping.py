"""One decision for a batch of mazes: move, pick up, respawn."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.dynamics.episodes import put_agent
from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    FRAME_SECONDS,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    move_frame,
)
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.task.rules import Rules

GOAL_REWARD = 10.0
THING_REWARD = 1.0
PICKUP_REACH = 0.36


@kernel
def _pick_up(maps: Maps, rules: Rules, state: State, i: int) -> float:
    """Take what agent ``i`` touches and return the reward; the goal makes the agent start anew."""
    reward = 0.0
    x, y = state.position[i]
    for thing in range(state.kind.shape[1]):
        if not state.present[i, thing]:
            continue
        place = state.place[i, thing]
        if abs(place[0] - x) > PICKUP_REACH or abs(place[1] - y) > PICKUP_REACH:
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

    Args:
        maps: all layouts.
        rules: of the level.
        state: of all mazes.
        actions: int64 (N,), rows of ``ACTION_TABLE``.
        active: bool (N,); the others stand still.
        rewards: float64 (N,), written.
    """
    for i in range(len(actions)):
        rewards[i] = 0.0
        if not active[i]:
            continue
        turn, ahead, right = ACTION_TABLE[actions[i]]
        for _ in range(FRAMES_PER_STEP):
            layout = state.layout[i]
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
                FRAME_SECONDS,
            )
            if state.first_goal[i] < 0:
                after_x, after_y = state.position[i]
                state.travelled[i] += math.hypot(after_x - before_x, after_y - before_y)
            rewards[i] += _pick_up(maps, rules, state, i)
        state.steps[i] += 1
