"""Rewards in units that PPO's losses are balanced for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn


class VecScaledReward(VecEnvWrapper):
    """Divides rewards by the largest one seen so far, in either direction.

    Where goals bring 10, the value loss would outweigh the policy's a hundred times more than where
    they bring 1. Division by the spread of returns, as `VecNormalize` does it, does not help where
    rewards are rare: their spread is far below the rewards themselves.

    Attributes:
        largest: what rewards are divided by.
    """

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self.largest = 1e-6

    def reset(self) -> VecEnvObs:
        """Reset all environments."""
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """Scale the rewards."""
        observations, rewards, dones, infos = self.venv.step_wait()
        self.largest = max(self.largest, float(np.abs(rewards).max()))
        return observations, rewards / np.float32(self.largest), dones, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what rewards are divided by."""
        return {"largest": np.array(self.largest)}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Divide by what `get_state` returned."""
        self.largest = float(state["largest"])
