"""The previous step as an observation: what a policy did last, and what that brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from ocrl.errors import UsageError
from ocrl.wrappers.token_space import TOKENS

ACTION, REWARD = "previous_action", "previous_reward"


class VecPreviousStep(VecEnvWrapper):
    """Adds the previous action (one-hot) and reward to the observation; zeros at first.

    As the agents of Mirowski et al. 2016, section 2, have them. The extractors read each as one
    more token.

    Args:
        venv: environments with discrete actions, whose observations are tokens or a Dict.

    Raises:
        UsageError: if actions are not discrete.
    """

    def __init__(self, venv: VecEnv) -> None:
        actions = venv.action_space
        if not isinstance(actions, spaces.Discrete):
            raise UsageError(f"previous actions are one-hot, for Discrete actions, not {actions}")
        self._num_actions = int(actions.n)
        self._actions = np.zeros(venv.num_envs, dtype=np.int64)
        space = venv.observation_space
        entries = space.spaces if isinstance(space, spaces.Dict) else {TOKENS: space}
        further = {
            ACTION: spaces.Box(0, 1, (self._num_actions,), np.float32),
            REWARD: spaces.Box(-np.inf, np.inf, (1,), np.float32),
        }
        super().__init__(venv, observation_space=spaces.Dict({**entries, **further}))

    def reset(self) -> VecEnvObs:
        """Reset all environments; nothing was done before."""
        return self._add(self.venv.reset(), *self._nothing())

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Remember the actions and pass them on."""
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Add the actions and the rewards that came of them, but not across episodes."""
        observations, rewards, dones, infos = self.venv.step_wait()
        actions = np.eye(self._num_actions, dtype=np.float32)[self._actions]
        gains = rewards[:, None].astype(np.float32)
        infos = list(infos)
        for i in np.flatnonzero(dones):
            final = self._add(infos[i]["terminal_observation"], actions[i], gains[i])
            infos[i] = {**infos[i], "terminal_observation": final}
        none, nil = self._nothing()
        ended = dones[:, None]
        shown = self._add(observations, np.where(ended, none, actions), np.where(ended, nil, gains))
        return shown, rewards, dones, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return nothing: between two steps there is nothing to keep."""
        return {}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Leave all as it is."""

    def _nothing(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        shape = (self.num_envs, self._num_actions)
        return np.zeros(shape, np.float32), np.zeros((self.num_envs, 1), np.float32)

    def _add(self, observation: Any, action: Any, reward: Any) -> dict[str, npt.NDArray[Any]]:
        entries = observation if isinstance(observation, dict) else {TOKENS: observation}
        return {**entries, ACTION: action, REWARD: reward}
