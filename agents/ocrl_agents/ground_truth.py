"""The control that needs no encoder: tokens straight from the simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from ocrl.errors import UsageError
from ocrl.wrappers.token_space import TOKENS

Describe = Callable[[VectorEnv[Any, Any, Any]], npt.NDArray[np.float32]]
"""A vector environment in, what is true of it as it stands now out: tokens (N, K, D)."""


class GroundTruthObservation(VectorWrapper[Any, Any, Any, Any, Any]):
    """Shows what a simulator knows of its objects in place of what it draws.

    Of a Dict observation, further entries can be shown beside these tokens.

    The wrapped environment must not reset itself, because the truth at the end of an episode is
    asked for before the next one begins. The wrapper does it instead, in the same step.

    Args:
        envs: a vector environment with autoreset disabled.
        describe: what makes tokens of its state.
        beside: entries of its observation that are shown as they are.

    Raises:
        UsageError: if the environment resets itself.
    """

    def __init__(
        self, envs: VectorEnv[Any, Any, Any], describe: Describe, beside: Sequence[str] = ()
    ) -> None:
        if envs.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
            raise UsageError(
                f"the truth is asked for before an episode restarts, {envs} restarts by itself: "
                "make it with autoreset_mode=AutoresetMode.DISABLED"
            )
        super().__init__(envs)
        self._describe, self._beside = describe, tuple(beside)
        self.metadata = {**envs.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        # the number of tokens and their width are known once there is an episode
        envs.reset(seed=0)
        tokens = spaces.Box(-np.inf, np.inf, describe(envs).shape[1:], np.float32)
        self.single_observation_space = self._with_others(tokens, envs.single_observation_space)
        self.observation_space = batch_space(self.single_observation_space, envs.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments and describe them."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return self._shown(observations), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step all environments, describe them, and restart those that ended."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        shown = self._shown(observations)
        ended = np.logical_or(terminations, truncations)
        if ended.any():
            final_obs = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final_obs[i] = _of_env(shown, int(i))
            infos = {
                "final_obs": final_obs,
                "_final_obs": ended,
                "final_info": infos,
                "_final_info": ended,
            }
            observations, _ = self.env.reset(options={"reset_mask": ended.copy()})
            shown = self._shown(observations)
        return shown, rewards, terminations, truncations, infos

    def _shown(self, observations: Any) -> Any:
        """Return what is true now, in memory that the world has no part in."""
        return self._with_others(np.array(self._describe(self.env)), observations)

    def _with_others(self, tokens: Any, entries: Any) -> Any:
        """Put beside tokens, or their space, the further entries that are shown."""
        if not self._beside:
            return tokens
        shown = {TOKENS: tokens, **{name: entries[name] for name in self._beside}}
        return spaces.Dict(shown) if isinstance(tokens, spaces.Space) else shown

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return nothing: between two steps there is nothing to keep."""
        return {}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Leave all as it is."""


def _of_env(shown: Any, index: int) -> Any:
    if isinstance(shown, dict):
        return {name: values[index].copy() for name, values in shown.items()}
    return shown[index]
