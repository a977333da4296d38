"""Action repeat for any Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy.typing as npt

from ocrl_envs.errors import UsageError


class ActionRepeat(gymnasium.Wrapper[Any, Any, Any, Any], gymnasium.utils.RecordConstructorArgs):
    """Holds each action for several steps; rewards add up, the last observation is shown.

    An episode that ends in between ends there, and what it says is that of its last step.

    Args:
        env: the environment.
        repeat: steps for which an action is held.

    Raises:
        UsageError: an action is held for no step.

    Example:
        >>> env = ActionRepeat(gymnasium.make("CartPole-v1"), repeat=2)
        >>> _ = env.reset(seed=0)
        >>> env.step(0)[1]
        2.0
    """

    def __init__(self, env: gymnasium.Env[Any, Any], repeat: int) -> None:
        if repeat < 1:
            raise UsageError(f"action_repeat={repeat}: hold an action for 1 step or more")
        gymnasium.utils.RecordConstructorArgs.__init__(self, repeat=repeat)
        super().__init__(env)
        self.repeat = repeat

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take the same step so often, or until the episode ends."""
        total = 0.0
        for _ in range(self.repeat):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return nothing: between two steps there is nothing to keep."""
        return {}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Leave all as it is."""
