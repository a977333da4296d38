"""Actions: what reaches the engine, and for how long."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from ocrl_envs.dmlab.actions import ACTION_SETS
from ocrl_envs.dmlab.observations import TOP_LOOK
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.motion import ACTION_TABLE

NAVIGATION8 = [
    [-20, 0, 0, 0, 0, 0, 0],
    [20, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 0],
    [0, 0, 0, -1, 0, 0, 0],
    [0, 0, -1, 0, 0, 0, 0],
    [0, 0, 1, 0, 0, 0, 0],
    [-20, 0, 0, 1, 0, 0, 0],
    [20, 0, 0, 1, 0, 0, 0],
]


def test_actions_reach_the_engine(fake_lab, make_env):
    env = make_env()
    env.reset(seed=0)
    for number, expected in enumerate(NAVIGATION8):
        env.step(np.int64(number))
        assert env._lab.actions[-1] == expected
    assert env.action_space.n == 8


def test_actions_are_those_of_the_embedded_maze():
    look, _, strafe, move, *_ = ACTION_SETS["navigation8"].T
    np.testing.assert_array_equal(np.stack([look / TOP_LOOK, move, strafe], 1), ACTION_TABLE)


@pytest.mark.parametrize("name", ["navigation8", "impala9", "extended15", "raw"])
def test_actions_stay_within_what_the_engine_specifies(fake_lab, make_env, name):
    env = make_env(actions=name)
    env.reset(seed=0)
    spec = env._lab.action_spec()
    env.action_space.seed(0)
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    tried = (
        range(env.action_space.n) if discrete else [env.action_space.sample() for _ in range(99)]
    )
    for action in tried:
        env.step(action)
    reached = env._lab.actions[1:]
    assert len({tuple(action) for action in reached}) == len(tried)
    assert all(
        s["min"] <= a <= s["max"] for action in reached for a, s in zip(action, spec, strict=True)
    )


def test_raw_actions_cover_the_specification(fake_lab, make_env):
    env = make_env(actions="raw")
    env.reset(seed=0)
    for action, bound in ((np.zeros(7, int), "min"), (env.action_space.nvec - 1, "max")):
        env.step(action)
        assert env._lab.actions[-1] == [spec[bound] for spec in env._lab.action_spec()]


def test_action_is_held(fake_lab, make_env):
    env = make_env(decision_frames=7, action_repeat=3, velocity=True)
    observation, _ = env.reset(seed=0)
    assert observation["velocity"].shape == (3,)
    env.step(0)
    assert env._lab.num_steps() == 1 + 7 * 3
    assert env.metadata["render_fps"] == pytest.approx(60 / 21)


@pytest.mark.parametrize("action", [8, -1, 0.5, [1], None])
def test_unknown_action(deepmind_lab, make_env, action):
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(UsageError, match=r"not in Discrete\(8\)"):
        env.step(action)
