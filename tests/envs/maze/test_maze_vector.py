from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs.maze.env import MazeEnv
from envs.maze.vector import MazeVectorEnv

SETTINGS = {"level": "seekavoid_arena_1", "num_layouts": 10}


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_batch_equals_single_environments(mode: AutoresetMode) -> None:
    batch = MazeVectorEnv(3, mode, **SETTINGS)
    singles = SyncVectorEnv([lambda: MazeEnv(**SETTINGS)] * 3, autoreset_mode=mode)
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
