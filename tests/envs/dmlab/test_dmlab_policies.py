"""Wandering by speeds in DeepMind Lab's units, in the embedded maze, where actions move."""

from __future__ import annotations

import numpy as np
import pytest

from ocrl_envs.dmlab import make_vector_env
from ocrl_envs.dmlab.policies import WanderingPolicy
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.vector import MazeVectorEnv
from ocrl_envs.protocols import HasPolicies

NUM_ENVS = 8


def cells_visited(wanders):
    envs = MazeVectorEnv(num_envs=NUM_ENVS, level="nav_maze_1")
    state = envs.simulation.state
    policy = WanderingPolicy(lambda: 100 * np.hypot(*state.velocity.T), NUM_ENVS, seed=0)
    rng = np.random.default_rng(0)
    frames, _ = envs.reset(seed=0)
    cells = set()
    for _ in range(600):
        frames, *_ = envs.step(policy(frames) if wanders else rng.integers(8, size=NUM_ENVS))
        cells |= {(i, *place) for i, place in enumerate(state.position.astype(int).tolist())}
    return len(cells)


def test_it_comes_further_than_chance():
    assert cells_visited(wanders=True) > 1.3 * cells_visited(wanders=False)


def test_rollouts_wander_by_the_speeds_that_the_engines_tell(fake_lab):
    envs = make_vector_env(2, level="nav_maze_1")
    assert isinstance(envs, HasPolicies)
    policy = envs.make_policy(envs.rollout_policy, seed=0)
    frames, _ = envs.reset(seed=0)
    for _ in range(4):
        actions = policy(frames)
        assert envs.action_space.contains(actions)
        frames, *_ = envs.step(actions)
    assert frames.shape == (2, 64, 64, 3)  # speeds are not observed
    with pytest.raises(UsageError, match="no policy 'oracle': choose from random, wandering"):
        envs.make_policy("oracle", seed=0)
    envs.close()
