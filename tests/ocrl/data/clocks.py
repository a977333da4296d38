"""Worlds whose frames tell the time, and their rollouts."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import minari
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from ocrl.data.rollouts import collect_rollouts


class Clock(gym.Env[NDArray[np.uint8], np.int64]):
    """Frames show (which environment, how many resets, step); episodes end after 3 or 4 steps."""

    observation_space = gym.spaces.Box(0, 255, (32, 40, 3), np.uint8)
    action_space = gym.spaces.Discrete(5)

    def __init__(self, number: int) -> None:
        self.number, self.resets, self.time = number, 0, 0

    @property
    def frame(self) -> NDArray[np.uint8]:
        shown = np.array([self.number, self.resets, self.time], np.uint8)
        return np.broadcast_to(shown, (32, 40, 3)).copy()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.resets, self.time = self.resets + 1, 0
        return self.frame, {}

    def step(self, action: np.int64) -> Any:
        self.time += 1
        terminated = self.number == 0 and self.time == 3
        return self.frame, float(action), terminated, self.number == 1 and self.time == 4, {}


def clocks(mode: AutoresetMode) -> SyncVectorEnv:
    # With copy=False the environments write each step's frames into the same array.
    return SyncVectorEnv([lambda: Clock(0), lambda: Clock(1)], copy=False, autoreset_mode=mode)


def time_policy(observations: NDArray[Any]) -> NDArray[Any]:
    """Act by the step shown in the frame, so that actions can be checked."""
    return observations[:, 0, 0, 2].astype(np.int64) + 1


def collect(mode: AutoresetMode, num_steps: int = 16, **options: Any) -> minari.MinariDataset:
    return collect_rollouts(
        clocks(mode), time_policy, "clock/train-v0", num_steps, seed=0, progress=False, **options
    )
