from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate
from ocrl_agents.ground_truth import GroundTruthObservation
from ocrl_envs.maze.vector import MazeVectorEnv


def describe(envs: Any) -> Any:
    """Which episode, and how far into it."""
    rows = [(env.episode, env.time) for env in envs.envs]
    return np.array(rows, dtype=np.float32)[:, None]


def test_truth_at_the_end_is_that_of_the_old_episode(flicker: Any) -> None:
    envs = SyncVectorEnv(
        [lambda i=i: flicker(i) for i in range(3)], autoreset_mode=AutoresetMode.DISABLED
    )
    wrapped = GroundTruthObservation(envs, describe)
    tokens, _ = wrapped.reset(seed=1)
    assert tokens[:, 0].tolist() == [[0, 0], [1, 0], [2, 0]]
    assert wrapped.single_observation_space.shape == (1, 2)
    previous = tokens
    num_ends = 0
    for _ in range(10):
        tokens, _, terminations, truncations, infos = wrapped.step(np.zeros(3, int))
        assert tokens in wrapped.observation_space
        for i in range(3):
            if terminations[i] or truncations[i]:
                num_ends += 1
                assert infos["final_obs"][i].tolist() == (previous[i] + [[0, 1]]).tolist()
                assert infos["final_info"]["goals"][i] == infos["final_obs"][i][0, 1]
                assert tokens[i].tolist() == [[previous[i][0, 0] + 1, 0]]
            else:
                assert tokens[i].tolist() == (previous[i] + [[0, 1]]).tolist()
        previous = tokens
    assert num_ends > 6


def test_episodes_are_evaluated_as_ever(flicker: Any) -> None:
    envs = SyncVectorEnv([flicker] * 2, autoreset_mode=AutoresetMode.DISABLED)
    wrapped = GroundTruthObservation(envs, describe)
    episodes = evaluate(lambda tokens: np.ones(2, int), wrapped, [3, 4, 5])
    assert [episode.length for episode in episodes] == [3, 3, 3]
    assert [episode.scalars["goals"] for episode in episodes] == [3, 3, 3]


def test_environments_that_reset_themselves_are_refused(flicker: Any) -> None:
    with pytest.raises(UsageError, match="DISABLED"):
        GroundTruthObservation(SyncVectorEnv([flicker]), describe)


def test_entries_beside_the_truth_are_of_the_same_episode() -> None:
    options = {"level": "seekavoid_arena_1", "pose": True, "velocity": True, "action_repeat": 300}
    envs = MazeVectorEnv(2, "DISABLED", **options)
    wrapped = GroundTruthObservation(envs, lambda inner: inner.unwrapped.describe(), ["pose"])
    shown, _ = wrapped.reset(seed=0)
    assert shown.keys() == {"tokens", "pose"}
    assert shown in wrapped.observation_space
    alone = MazeVectorEnv(2, "DISABLED", **options)
    alone.reset(seed=0)
    for _ in range(3):
        shown, _, _, truncations, infos = wrapped.step(np.array([2, 6]))
        expected = alone.step(np.array([2, 6]))[0]["pose"]
        assert truncations.all()
        for i in range(2):
            np.testing.assert_array_equal(infos["final_obs"][i]["pose"], expected[i])
        expected = alone.reset(options={"reset_mask": np.ones(2, np.bool_)})[0]["pose"]
        np.testing.assert_array_equal(shown["pose"], expected)
