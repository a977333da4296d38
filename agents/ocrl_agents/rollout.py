"""A rollout: T steps of N environments, in tensors that are allocated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_action_dim, get_obs_shape
from torch import Tensor

from ocrl_agents.token_extractor import Observations


class Minibatch(NamedTuple):
    """Steps to learn from: B of them in any order, or B segments of T steps each, (B, T).

    Attributes:
        observations: what the policy saw.
        actions: what it did.
        starts: bool, whether a step begins an episode.
        memory: (B, S), what the policy remembered before the step, or before the segment.
        values: what it expected.
        log_probs: of the actions, when they were drawn.
        advantages: of the actions.
        returns: what the critic is to expect.
    """

    observations: Observations
    actions: Tensor
    starts: Tensor
    memory: Tensor
    values: Tensor
    log_probs: Tensor
    advantages: Tensor
    returns: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> Minibatch:
        """Apply a function to every entry."""
        observations, *others = self
        mapped: Any = [function(entry) for entry in others]
        return Minibatch(apply(observations, function), *mapped)


class Rollout:
    """What `stable_baselines3.common.buffers.RolloutBuffer` is, in tensors (N, T, ...).

    Args:
        buffer_size: T.
        observation_space: of one environment.
        action_space: of one environment.
        device: where the tensors are.
        gamma: discount.
        gae_lambda: of generalised advantage estimation.
        n_envs: N.

    Attributes:
        observations: (N, T, ...), in the type of their space.
        actions: (N, T, A), or (N, T) where they are discrete.
        rewards: (N, T).
        starts: bool (N, T), whether a step begins an episode.
        values: (N, T), what the critic expected.
        log_probs: (N, T), of the actions.
        advantages: (N, T).
        returns: (N, T), advantages plus values.
        memory: (N, S), what the policy remembered before the first step.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        device: torch.device | str = "cpu",
        gae_lambda: float = 1.0,
        gamma: float = 0.99,
        n_envs: int = 1,
    ) -> None:
        self.gamma, self.gae_lambda = gamma, gae_lambda
        shape = (n_envs, buffer_size)

        def empty(own: tuple[int, ...] = (), dtype: Any = np.float32) -> Tensor:
            # torch knows the types that NumPy has by the arrays that have them
            like = torch.from_numpy(np.zeros(0, dtype))
            return torch.zeros(*shape, *own, dtype=like.dtype, device=device)

        entries: Any = get_obs_shape(observation_space)
        self.observations: Observations = (
            {
                key: empty(entries[key], space.dtype)
                for key, space in observation_space.spaces.items()
            }
            if isinstance(observation_space, spaces.Dict)
            else empty(entries, observation_space.dtype)
        )
        if isinstance(action_space, spaces.Discrete):
            self.actions = empty(dtype=np.int64)
        else:
            self.actions = empty((get_action_dim(action_space),))
        self.rewards, self.values, self.log_probs = empty(), empty(), empty()
        self.advantages, self.returns = empty(), empty()
        self.starts = empty(dtype=np.bool_)
        self.memory = torch.zeros(n_envs, 0, device=device)

    def write(self, step: int, **entries: Any) -> None:
        """Write what happened in one step of all environments, each entry (N, ...)."""
        for name, value in entries.items():
            column: Any = getattr(self, name)
            if isinstance(column, dict):
                for key, tensor in column.items():
                    tensor[:, step] = value[key].view_as(tensor[:, step])
            else:
                column[:, step] = value.view_as(column[:, step])

    def finish(self, last_values: Tensor, last_starts: Tensor) -> None:
        """Estimate advantages (Schulman et al. 2016, equation 16) and returns.

        Args:
            last_values: (N,), what the critic expects after the last step.
            last_starts: bool (N,), whether an episode ended with it.
        """
        next_values, next_starts = last_values, last_starts
        advantage = torch.zeros_like(last_values)
        for t in reversed(range(self.rewards.shape[1])):
            goes_on = (~next_starts).float()
            error = self.rewards[:, t] + self.gamma * goes_on * next_values - self.values[:, t]
            advantage = error + self.gamma * self.gae_lambda * goes_on * advantage
            self.advantages[:, t] = advantage
            next_values, next_starts = self.values[:, t], self.starts[:, t]
        torch.add(self.advantages, self.values, out=self.returns)

    def minibatches(self, size: int, whole_segments: bool) -> Iterator[Minibatch]:
        """Yield all steps in random order, `size` of them at a time.

        Args:
            size: steps of a minibatch.
            whole_segments: draw environments instead, with all their steps in order, `size` / T
                of them at a time.
        """
        num_envs, length = self.rewards.shape
        whole = Minibatch(
            self.observations,
            self.actions,
            self.starts,
            self.memory,
            self.values,
            self.log_probs,
            self.advantages,
            self.returns,
        )
        if whole_segments:
            order, size = _permutation(num_envs), size // length
        else:
            order = _permutation(num_envs * length)
            each = self.memory.repeat_interleave(length, dim=0)
            whole = whole.map(lambda entry: entry.flatten(0, 1))._replace(memory=each)
        for first in range(0, len(order), size):
            rows = torch.from_numpy(order[first : first + size]).to(self.rewards.device)
            yield whole.map(partial(torch.index_select, dim=0, index=rows))


def _permutation(length: int) -> npt.NDArray[np.int64]:
    """Draw from the random state that stable-baselines3 draws from, and seeds."""
    return np.random.permutation(length)  # noqa: NPY002


def apply(observations: Observations, function: Callable[[Tensor], Tensor]) -> Observations:
    """Apply a function to observations, or to each entry of them.

    >>> apply({"tokens": torch.ones(2)}, torch.sum)
    {'tokens': tensor(2.)}
    """
    if isinstance(observations, Tensor):
        return function(observations)
    return {key: function(entry) for key, entry in observations.items()}
