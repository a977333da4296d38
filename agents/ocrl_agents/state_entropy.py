"""A reward for going where the episode has not been: the entropy of the states that it visits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from ocrl.errors import UsageError
from ocrl.wrappers.token_space import TOKENS

States = Callable[[Any], npt.NDArray[Any]]
"""Observations of N environments in, what counts as their state out: (N, ...)."""


def tokens_of(observations: Any) -> npt.NDArray[Any]:
    """Return the tokens (N, K, D) of observations, which are tokens or a dictionary with them."""
    tokens: npt.NDArray[Any] = (
        observations[TOKENS] if isinstance(observations, dict) else observations
    )
    return tokens


class VecStateEntropy(VecEnvWrapper):
    """Pays for novelty in place of what the environment pays.

    The reward of a step is log(1 + d), where d is the Euclidean distance of the state that it
    leads to from the k-th nearest of those that the same episode has been in before, or from the
    furthest while they are fewer. Summed over an episode that is an estimate of the entropy of its
    states, up to constants (Singh et al. 2003), and who maximises it explores: the explorer of
    ExpGen (Zisselman et al. 2023, section 4.1) is trained by it, with a memory.

    There the reward is log(d); one is added, as Liu and Abbeel 2021 do, because a state that
    comes back would cost infinitely much. k, the last 500 states, and no reward for a step that
    ends an episode are those of the public code. Its states are pictures of the whole level,
    averaged over 3 x 3 pixels; here they are tokens, or whatever ``states`` makes of a world.

    What these environments show does not change, so there is nothing new:

        >>> novel = VecStateEntropy(venv)
        >>> _ = novel.reset()
        >>> novel.step(np.zeros(2, int))[1].tolist()
        [0.0, 0.0]

    Args:
        venv: environments whose observations are tokens, or a Dict with them.
        states: what counts as a state. None: all tokens in a row.
        k: which of the nearest neighbours.
        window: so many of the last states are remembered.

    Raises:
        UsageError: there is to be no neighbour, or fewer states are remembered.
    """

    def __init__(
        self, venv: VecEnv, states: States | None = None, *, k: int = 3, window: int = 500
    ) -> None:
        if not 1 <= k <= window:
            raise UsageError(
                f"k={k} of window={window}: the neighbour is one of the states that are "
                f"remembered, take k from 1 to {max(window, 1)}"
            )
        super().__init__(venv)
        self._states = tokens_of if states is None else states
        self._k = k
        self._visited = np.zeros((venv.num_envs, window, 0), np.float32)
        self._lengths = np.zeros(venv.num_envs, np.int64)

    def reset(self) -> VecEnvObs:
        """Reset all environments; where they begin is the first state of their episodes."""
        observations = self.venv.reset()
        states = self._flat(observations)
        self._visited = np.zeros((*self._visited.shape[:2], states.shape[1]), np.float32)
        self._lengths[:] = 0
        self._visit(states)
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        """Reward novelty."""
        observations, _, dones, infos = self.venv.step_wait()
        states = self._flat(observations)
        # where an episode ended, the next one is shown: what it begins with is no merit
        rewards = np.where(dones, 0, np.log1p(self._distances(states))).astype(np.float32)
        self._lengths[dones] = 0
        self._visit(states)
        return observations, rewards, dones, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return where each episode has been."""
        return {"visited": self._visited.copy(), "lengths": self._lengths.copy()}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with what `get_state` returned."""
        shape = self._visited.shape[:2]
        if state["visited"].shape[:2] != shape or state["lengths"].shape != shape[:1]:
            raise ValueError(f"states of {state['visited'].shape[:2]}, not {shape}")
        self._visited = state["visited"].astype(np.float32)
        self._lengths = state["lengths"].astype(np.int64)

    def _flat(self, observations: Any) -> npt.NDArray[np.float32]:
        states = np.asarray(self._states(observations), np.float32)
        return states.reshape(self.num_envs, -1)

    def _visit(self, states: npt.NDArray[np.float32]) -> None:
        window = self._visited.shape[1]
        self._visited[np.arange(self.num_envs), self._lengths % window] = states
        self._lengths += 1

    def _distances(self, states: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return how far each state is from its neighbour, (N,)."""
        known = np.minimum(self._lengths, self._visited.shape[1])
        visited = self._visited[:, : known.max()]
        distances = torch.cdist(
            torch.from_numpy(states[:, None]),
            torch.from_numpy(visited),
            # the other way, by products, is inexact where distances are small
            compute_mode="donot_use_mm_for_euclid_dist",
        )[:, 0].numpy()
        distances[np.arange(visited.shape[1]) >= known[:, None]] = np.inf
        nearest = np.sort(distances, axis=1)
        rank = np.minimum(self._k, known) - 1
        neighbours: npt.NDArray[np.float32] = nearest[np.arange(self.num_envs), rank]
        return neighbours
