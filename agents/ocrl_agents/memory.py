"""Actor and critic over tokens that remember what they saw."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl_agents.policies import SlotPolicy


class Memory(nn.Module):
    """An LSTM (Hochreiter and Schmidhuber 1997) over segments in which episodes may begin.

    A batch of segments is cut where an episode begins in any of them. What lies between two cuts
    goes through the LSTM in one call, so there is no padding and no loop over steps; episodes are
    far longer than segments, so there are few cuts.

    Args:
        in_dim: width of the features, F.
        dim: width of the memory, H.

    Attributes:
        num_states: vectors of width H that are carried from step to step.

    >>> memory = Memory(3, 4)
    >>> recalled, state = memory(torch.ones(2, 5, 3), torch.zeros(2, 8), torch.zeros(2, 5) > 0)
    >>> recalled.shape, state.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 8]))
    """

    num_states = 2

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.lstm = nn.LSTM(in_dim, dim, batch_first=True)

    def forward(self, features: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Remember segments.

        Args:
            features: (B, T, F).
            state: (B, 2 H), before the first step: what the LSTM gives out, and its cell.
            starts: bool (B, T), whether a step begins an episode, and knows nothing of the past.

        Returns:
            What is recalled at each step, (B, T, H), and the state after the last one.
        """
        length = features.shape[1]
        cuts = {0, length} | set(starts.any(0).nonzero().flatten().tolist())
        recalled = []
        for first, end in pairwise(sorted(cuts)):
            state = state.masked_fill(starts[:, first, None], 0)
            hidden, cell = (part.contiguous() for part in state.unsqueeze(0).chunk(2, dim=-1))
            outputs, (hidden, cell) = self.lstm(features[:, first:end], (hidden, cell))
            state = torch.cat([hidden, cell], dim=-1).squeeze(0)
            recalled.append(outputs)
        return torch.cat(recalled, dim=1), state


class MemoryPolicy(SlotPolicy):
    """`SlotPolicy` whose heads read, beside the features, what a memory recalls.

    `predict` takes and returns the memory as stable-baselines3's recurrent policies do: a tuple of
    arrays, with `episode_start` to say which episodes begin.

    Args:
        lstm_dim: width of the memory, H.
        memory_class: `Memory`, an LSTM, or one of your own.
        **others: see `SlotPolicy`.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Schedule,
        *,
        lstm_dim: int = 128,
        memory_class: type[Memory] = Memory,
        **others: Any,
    ) -> None:
        # needed while the policy is built
        self.lstm_dim, self.memory_class = lstm_dim, memory_class
        self.memory_dim = memory_class.num_states * lstm_dim
        super().__init__(observation_space, action_space, lr_schedule, **others)

    def _build_mlp_extractor(self) -> None:
        self.memory = self.memory_class(self.features_dim, self.lstm_dim)
        self.mlp_extractor = MlpExtractor(
            self.features_dim + self.lstm_dim,
            net_arch=self.net_arch,
            activation_fn=self.activation_fn,
            device=self.device,
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"lstm_dim": self.lstm_dim, "memory_class": self.memory_class}
        return {**super()._get_constructor_parameters(), **own}

    def remember(self, features: Tensor, memory: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Add what is recalled to features, see `SlotPolicy.remember`."""
        is_step = features.ndim == 2
        if is_step:
            features, starts = features.unsqueeze(1), starts.unsqueeze(1)
        recalled, memory = self.memory(features, memory, starts)
        both = torch.cat([features, recalled], dim=-1)
        return both.squeeze(1) if is_step else both, memory

    def predict(
        self,
        observation: Any,
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[npt.NDArray[Any], tuple[npt.NDArray[Any], ...] | None]:
        """Return actions, and the memory for the next call.

        Args:
            observation: of one environment or of N.
            state: what the call before returned; None where all episodes begin.
            episode_start: bool (N,), which episodes begin.
            deterministic: take the likeliest action instead of drawing one.

        Raises:
            UsageError: if episodes go on and their memory is not given.
        """
        self.set_training_mode(False)
        tensors: Any
        tensors, is_batch = self.obs_to_tensor(observation)
        if state is None and (episode_start is None or not np.all(episode_start)):
            raise UsageError(
                "this agent has a memory, and plays an episode without it: give predict the state "
                "that it returned before, and episode_start, or use ocrl_agents.evaluation"
            )
        with torch.no_grad():
            features = self.features(tensors)
            if state is None:
                memory = self.initial_memory(len(features))
            else:
                memory = torch.as_tensor(state[0], device=self.device)
            starts = torch.zeros(len(features), dtype=torch.bool, device=self.device)
            if episode_start is not None:
                starts |= torch.as_tensor(episode_start, dtype=torch.bool, device=self.device)
            features, memory = self.remember(features, memory, starts)
            drawn = self.heads(features)[0].get_actions(deterministic=deterministic)
        actions = drawn.cpu().numpy().reshape(-1, *(self.action_space.shape or ()))
        if isinstance(self.action_space, spaces.Box):
            actions = np.clip(actions, self.action_space.low, self.action_space.high)
        return actions if is_batch else actions[0], (memory.cpu().numpy(),)
