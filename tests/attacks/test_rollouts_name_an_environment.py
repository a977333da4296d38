"""Rollouts without spaces, whose list names an environment to ask: making it would run it."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from ocrl import UsageError
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts


class Frames(gym.Env[np.ndarray, int]):
    """Black frames, whatever is done."""

    observation_space = gym.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: object) -> tuple[np.ndarray, dict[str, object]]:
        return np.zeros((8, 8, 3), np.uint8), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        return np.zeros((8, 8, 3), np.uint8), 0.0, False, False, {}


def test_nothing_of_them_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    envs = gym.vector.SyncVectorEnv([Frames])
    collect_rollouts(envs, lambda _: np.zeros(1, int), "black/frames-v0", 3, seed=0, progress=False)
    assert load_rollouts("black/frames-v0").lengths.tolist() == [4]
    path = tmp_path / "black/frames-v0/data/metadata.json"
    content = json.loads(path.read_text())
    spec = gym.envs.registration.EnvSpec(
        "Evil-v0", entry_point="pathlib:Path.touch", kwargs={"self": str(tmp_path / "ran")}
    )
    content["env_spec"] = spec.to_json()
    for name in ("observation_space", "action_space"):
        path.write_text(json.dumps({k: v for k, v in content.items() if k != name}))
        with pytest.raises(UsageError, match=f"has no {name}"):
            load_rollouts("black/frames-v0")
    assert not (tmp_path / "ran").exists()
