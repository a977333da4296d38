from __future__ import annotations

import hashlib
from dataclasses import fields

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.ground_truth import GroundTruth
from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.vector import MazeVectorEnv, env_seeds

ARENA = {"level": "seekavoid_arena_1", "num_layouts": 10}


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_batch_equals_single_environments(mode: AutoresetMode) -> None:
    batch = MazeVectorEnv(3, mode, **ARENA)
    singles = SyncVectorEnv([lambda: MazeEnv(**ARENA)] * 3, autoreset_mode=mode)
    rng = np.random.default_rng(0)
    seeds = [3, 1, 4]
    np.testing.assert_array_equal(batch.reset(seed=seeds)[0], singles.reset(seed=seeds)[0])
    for _ in range(650):
        actions = rng.integers(0, 8, 3)
        ours, theirs = batch.step(actions), singles.step(actions)
        for mine, reference in zip(ours[:4], theirs[:4], strict=True):
            assert mine.dtype == reference.dtype
            np.testing.assert_array_equal(mine, reference)
        assert ours[4].keys() == theirs[4].keys()
        if "final_obs" in ours[4]:
            finals = ours[4].pop("final_obs"), theirs[4].pop("final_obs")
            np.testing.assert_array_equal(np.stack(finals[0]), np.stack(finals[1]))
        np.testing.assert_equal(ours[4], theirs[4])


@pytest.mark.parametrize("level", list(LEVELS))
def test_ground_truth_of_the_batch_equals_single(level: str) -> None:
    envs, env = MazeVectorEnv(3, level=level), MazeEnv(level=level)
    envs.reset(seed=[5, 6, 7])
    env.reset(seed=6)
    for action in (2, 6, 2, 2, 7):
        envs.step(np.full(3, action))
        env.step(action)
    batch, single = envs.ground_truth(), env.ground_truth()
    for name in GroundTruth.__dataclass_fields__:
        assert len(getattr(batch, name)) == 3
        np.testing.assert_array_equal(getattr(batch, name)[1], getattr(single, name))


def digests(num_envs: int, seeds: list[int], steps: int) -> list[str]:
    """Return a hash of what each environment shows and pays, under actions of its own seed."""
    envs = MazeVectorEnv(num_envs, "SAME_STEP", **ARENA)
    frames, _ = envs.reset(seed=seeds)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    hashes = [hashlib.sha256(frame.tobytes()) for frame in frames]
    for _ in range(steps):
        frames, rewards, *_ = envs.step(np.array([rng.integers(8) for rng in rngs]))
        for digest, frame, reward in zip(hashes, frames, rewards, strict=True):
            digest.update(frame.tobytes() + reward.tobytes())
    return [digest.hexdigest() for digest in hashes]


def test_place_in_the_batch_does_not_matter() -> None:
    assert digests(3, [1, 2, 3], 1000)[1] == digests(2, [2, 9], 1000)[0]


def test_no_two_neighbouring_seeds_share_an_environment() -> None:
    seeds = [seed for run in range(50) for seed in env_seeds(run, 16)]
    assert len(set(seeds)) == len(seeds)
    envs = MazeVectorEnv(4, num_layouts=2)
    frames = envs.reset(seed=3)[0]
    np.testing.assert_array_equal(frames, envs.reset(seed=env_seeds(3, 4))[0])


def test_final_observation_and_info() -> None:
    envs = MazeVectorEnv(2, "SAME_STEP", **ARENA)
    envs.reset(seed=0)
    last = envs.reset(seed=0)[0]
    for step in range(300):
        frames, _, terminations, truncations, infos = envs.step(np.array([0, 1]))
        if step < 299:
            last = frames
            assert not infos
    assert truncations.all()
    assert not terminations.any()
    assert infos["final_obs"][0].shape == (64, 64, 3)
    assert not np.array_equal(infos["final_obs"][0], frames[0])
    assert not np.array_equal(infos["final_obs"][0], last[0])
    assert infos["final_info"]["apples"].tolist() == [0, 0]
    assert infos["_final_info"].all()


def test_frames_are_not_overwritten() -> None:
    envs = MazeVectorEnv(2, "SAME_STEP", **ARENA)
    frames, _ = envs.reset(seed=0)
    copy = frames.copy()
    envs.step(np.array([2, 2]))
    np.testing.assert_array_equal(frames, copy)


def test_layouts_can_be_chosen_for_each_environment() -> None:
    envs = MazeVectorEnv(3, num_layouts=5)
    frames, _ = envs.reset(seed=[7, 7, 7], options={"layout": [4, 0, 4]})
    assert envs.simulation.state.layout.tolist() == [4, 0, 4]
    np.testing.assert_array_equal(frames[0], frames[2])
    envs.reset(seed=1, options={"layout": 2})
    assert envs.simulation.state.layout.tolist() == [2, 2, 2]


def test_disabled_autoreset_waits_for_the_mask() -> None:
    envs = MazeVectorEnv(2, "DISABLED", **ARENA)
    envs.reset(seed=0)
    for _ in range(300):
        _, _, _, truncations, infos = envs.step(np.array([0, 0]))
    assert truncations.all()
    assert infos["apples"].tolist() == [0, 0]
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.array([0, 0]))
    before = envs.simulation.state.position[1].copy()
    envs.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_array_equal(envs.simulation.state.position[1], before)
    assert envs.simulation.state.steps.tolist() == [0, 300]
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"\[1\]"):
        envs.step(np.array([0, 0]))


def test_made_by_gymnasium() -> None:
    envs = gymnasium.make_vec("ocrl_envs:ocrl/NavMaze-v0", num_envs=2, autoreset_mode="SAME_STEP")
    assert isinstance(envs, MazeVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.observation_space.shape == (2, 64, 64, 3)
    assert envs.reset(seed=0)[0] in envs.observation_space


def test_bad_calls_get_one_line() -> None:
    envs = MazeVectorEnv(2, num_layouts=2)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(2, int))
    with pytest.raises(UsageError, match="3 seeds for 2 environments"):
        envs.reset(seed=[1, 2, 3])
    with pytest.raises(UsageError, match="1 layouts for 2 environments"):
        envs.reset(seed=0, options={"layout": [1]})
    for layout in ([0, 2], [0, 0.5], 0.5, "one"):
        with pytest.raises(UsageError, match="no layout"):
            envs.reset(seed=0, options={"layout": layout})
    with pytest.raises(UsageError, match="reset_mask"):
        envs.reset(seed=0, options={"reset_mask": np.array([1, 0])})
    envs.reset(seed=0)
    for actions in ([0, 8], [-1, 0], [0], [[0], [0]], [1.5, 2.5]):
        with pytest.raises(UsageError, match="give 2 integers from 0 to 7"):
            envs.step(np.array(actions))
    with pytest.raises(UsageError, match="no autoreset_mode 'same'"):
        MazeVectorEnv(2, "same")
    with pytest.raises(UsageError, match="num_envs=0"):
        MazeVectorEnv(0)


def test_what_nobody_looks_at_is_not_drawn() -> None:
    """Mazes are the same, only black."""
    seen, unseen = (MazeVectorEnv(2, **ARENA) for _ in range(2))
    unseen.simulation.draws = False
    for envs in (seen, unseen):
        envs.reset(seed=3)
    for _ in range(3):
        frames, *_ = seen.step(np.array([2, 3]))
        black, *_ = unseen.step(np.array([2, 3]))
    assert frames.any()
    assert black.shape == frames.shape
    assert not black.any()
    for field in fields(GroundTruth):
        np.testing.assert_array_equal(
            getattr(seen.ground_truth(), field.name),
            getattr(unseen.ground_truth(), field.name),
        )
