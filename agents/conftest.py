"""What the examples in docstrings play in: environments that show tokens, and a folder for runs."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from ocrl_agents.state_entropy import VecStateEntropy
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv


class Tokens(gym.Env[Any, Any]):
    """Shows three tokens that say nothing; an episode has four steps."""

    observation_space = gym.spaces.Box(-1, 1, (3, 8), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """Begin."""
        self.time = 0
        return np.zeros((3, 8), np.float32), {}

    def step(self, action: Any) -> Any:
        """Go on."""
        self.time += 1
        return np.zeros((3, 8), np.float32), 1.0, self.time == 4, False, {}


@pytest.fixture(scope="session", autouse=True)
def examples(doctest_namespace: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Say what the names in examples are: one environment, many, a place, an agent, an explorer."""
    mode = gym.vector.AutoresetMode.SAME_STEP
    venv = GymnasiumVecEnv(gym.vector.SyncVectorEnv([Tokens] * 2, autoreset_mode=mode))
    trained = tmp_path_factory.mktemp("trained")
    train(make_ppo(venv, seed=0, n_steps=8), 16, trained, progress=False)
    explorer = make_ppo(VecStateEntropy(venv), seed=1, n_steps=8, lstm_dim=8)
    train(explorer, 16, trained / "explorer", progress=False)
    doctest_namespace |= {
        "env": Tokens(),
        "venv": venv,
        "folder": tmp_path_factory.mktemp("runs"),
        "path": trained / "last.safetensors",
        "explorer": trained / "explorer/last.safetensors",
    }
