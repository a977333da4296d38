"""The control that needs no encoder: tokens straight from the simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from ocrl.errors import UsageError

Describe = Callable[[VectorEnv[Any, Any, Any]], npt.NDArray[np.float32]]
"""A vector environment in, what is true of it as it stands now out: tokens (N, K, D)."""


class GroundTruthObservation(VectorWrapper[Any, Any, Any, Any, Any]):
    """Shows what a simulator knows of its objects in place of what it draws.

    The wrapped environment must not reset itself, because the truth at the end of an episode is
    asked for before the next one begins. The wrapper does it instead, in the same step.

    Args:
        envs: a vector environment with autoreset disabled.
        describe: what makes tokens of its state.

    Raises:
        UsageError: if the environment resets itself.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], describe: Describe) -> None:
        if envs.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise UsageError(
                f"the truth is asked for before an episode restarts, {envs} restarts by itself: "
                "make it with autoreset_mode=AutoresetMode.DISABLED"
            )
        super().__init__(envs)
        self._describe = describe
        self.metadata = {**envs.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        # the number of tokens and their width are known once there is an episode
        envs.reset(seed=0)
        shape = describe(envs).shape[1:]
        self.single_observation_space = spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.observation_space = batch_space(self.single_observation_space, envs.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments and describe them."""
        _, infos = self.env.reset(seed=seed, options=options)
        return self._tokens(), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all environments, describe them, and restart those that ended."""
        _, rewards, terminations, truncations, infos = self.env.step(actions)
        tokens = self._tokens()
        ended = np.logical_or(terminations, truncations)
        if ended.any():
            final_obs = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final_obs[i] = tokens[i]
            infos = {
                "final_obs": final_obs,
                "_final_obs": ended,
                "final_info": infos,
                "_final_info": ended,
            }
            self.env.reset(options={"reset_mask": ended.copy()})
            tokens = self._tokens()
        return tokens, rewards, terminations, truncations, infos

    def _tokens(self) -> npt.NDArray[np.float32]:
        """Return what is true now, in memory that the world has no part in."""
        return np.array(self._describe(self.env))

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return nothing: between two steps there is nothing to keep."""
        return {}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Leave all as it is."""
