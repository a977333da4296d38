"""Holding an action n decisions long is taking it n times, and seeing the last frame alone."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.motion import TOP_SPEED
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.policies import make_policy
from ocrl_envs.maze.vector import MazeVectorEnv

REPEAT = 7  # does not divide the 300 decisions of an episode


def test_an_episode_is_that_of_single_decisions() -> None:
    options = {"level": "seekavoid_arena_1", "num_layouts": 2, "image_size": 16}
    once, held = MazeEnv(**options), MazeEnv(**options, action_repeat=REPEAT)
    np.testing.assert_array_equal(once.reset(seed=4)[0], held.reset(seed=4)[0])
    policy = make_policy("oracle", held, seed=0)
    total, ended = 0.0, False
    while not ended:
        action = policy(np.empty(0))[0]
        frame, reward, _, ended, info = held.step(action)
        rewards = []
        for _ in range(REPEAT):
            own_frame, own_reward, _, own_ended, own_info = once.step(action)
            rewards.append(own_reward)
            if own_ended:
                break
        assert reward == sum(rewards)
        assert ended == own_ended
        assert info == pytest.approx(own_info, nan_ok=True)
        np.testing.assert_array_equal(frame, own_frame)
        total += reward
    assert len(rewards) == 300 % REPEAT
    assert once.simulation.state.steps[0] == held.simulation.state.steps[0] == 300
    assert total != 0


def test_a_batch_is_its_environments() -> None:
    options = {"level": "seekavoid_arena_1", "num_layouts": 2, "action_repeat": 64}
    envs = MazeVectorEnv(3, autoreset_mode=AutoresetMode.SAME_STEP, **options)
    envs.reset(seed=[1, 2, 3])
    singles = [MazeEnv(**options) for _ in range(3)]
    for seed, env in enumerate(singles, start=1):
        env.reset(seed=seed)
    actions = np.random.default_rng(0).integers(0, 8, (5, 3))
    for row in actions:
        _, rewards, _, ended, infos = envs.step(row)
        results = [env.step(action) for env, action in zip(singles, row, strict=True)]
        np.testing.assert_array_equal(rewards, [result[1] for result in results])
        np.testing.assert_array_equal(ended, [result[3] for result in results])
    assert ended.all()
    for final, result in zip(infos["final_obs"], results, strict=True):
        np.testing.assert_array_equal(final, result[0])
    assert envs.metadata["render_fps"] == pytest.approx(15 / 64)


def test_a_repeat_below_one_is_one_line() -> None:
    with pytest.raises(UsageError, match="action_repeat=0"):
        MazeEnv(action_repeat=0)


@pytest.mark.parametrize("action", range(8))
def test_velocity_is_the_way_that_the_agent_goes(action: int) -> None:
    options = {"num_envs": 32, "level": "seekavoid_arena_1", "image_size": 16}
    envs, plain = MazeVectorEnv(**options, velocity=True), MazeVectorEnv(**options)
    observations, _ = envs.reset(seed=0)
    assert not observations["velocity"].any()
    np.testing.assert_array_equal(observations["pixels"], plain.reset(seed=0)[0])
    for _ in range(8):
        before = envs.ground_truth()
        observations = envs.step(np.full(32, action))[0]
        np.testing.assert_array_equal(observations["pixels"], plain.step(np.full(32, action))[0])
        assert envs.observation_space.contains(observations)
    after = envs.ground_truth()
    turned = (after.heading - before.heading + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_array_equal(observations["velocity"][:, 2], np.sign(turned.round(4)))
    # after half a second the speed hardly changes; some slide along a wall
    way = (after.position - before.position) * 15 / TOP_SPEED
    heading = after.heading - turned / 2
    ahead = way[:, 0] * np.cos(heading) + way[:, 1] * np.sin(heading)
    right = way[:, 1] * np.cos(heading) - way[:, 0] * np.sin(heading)
    gaps = np.abs(np.stack([ahead, right], axis=1) - observations["velocity"][:, :2])
    assert np.median(gaps.max(1)) < (0.1 if turned.any() else 0.05)


def test_pose_is_where_the_agent_is_and_looks() -> None:
    envs = MazeVectorEnv(16, level="nav_maze_1", image_size=16, pose=True)
    observations, _ = envs.reset(seed=0)
    for action in (2, 2, 1, 6):
        truth = envs.ground_truth()
        assert envs.observation_space.contains(observations)
        x, y, cos, sin = observations["pose"].T
        np.testing.assert_array_equal(np.stack([x, y], 1), truth.position)
        away = (np.arctan2(sin, cos) - truth.heading + np.pi) % (2 * np.pi) - np.pi
        np.testing.assert_allclose(away, 0, atol=1e-6)
        observations = envs.step(np.full(16, action))[0]


def test_the_last_velocity_of_an_episode_is_its_own() -> None:
    envs = MazeVectorEnv(
        2, autoreset_mode="SAME_STEP", level="seekavoid_arena_1", velocity=True, action_repeat=300
    )
    envs.reset(seed=0)
    observations, _, _, ended, infos = envs.step(np.array([1, 1]))
    assert ended.all()
    assert [final["velocity"].tolist() for final in infos["final_obs"]] == [[0, 0, 1], [0, 0, 1]]
    assert not observations["velocity"].any()


def test_gymnasium_accepts_it() -> None:
    check_env(MazeEnv(num_layouts=1, velocity=True, action_repeat=2), skip_render_check=True)
