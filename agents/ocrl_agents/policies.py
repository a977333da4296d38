"""Actor and critic over tokens."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import torch
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor

from ocrl_agents.extractors import TransformerExtractor
from ocrl_agents.token_extractor import Observations


class Decision(NamedTuple):
    """What a policy does in each of N environments.

    Attributes:
        actions: (N, ...).
        values: (N,), what the critic expects.
        log_probs: (N,), of the actions.
        memory: (N, S), to be given to the next decision.
    """

    actions: Tensor
    values: Tensor
    log_probs: Tensor
    memory: Tensor


class SlotPolicy(ActorCriticPolicy):
    """Actor and critic over tokens, with defaults that leave pretrained weights as they are.

    stable-baselines3 would initialise every linear and convolutional layer anew, those of a
    pretrained encoder among them. Only the last layer of the actor is scaled down, so that the
    first policy is nearly uniform (Andrychowicz et al. 2021, section 3.2).

        >>> from stable_baselines3 import PPO
        >>> model = PPO(SlotPolicy, venv, n_steps=8, batch_size=16).learn(16)

    It remembers nothing; `ocrl_agents.memory.MemoryPolicy` does.

    Attributes:
        memory_dim: numbers that it remembers from step to step, S.
    """

    memory_dim = 0

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        features_extractor_class: type[BaseFeaturesExtractor] = TransformerExtractor,
        ortho_init: bool = False,
        optimizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch={"pi": [64], "vf": [64]} if net_arch is None else net_arch,
            features_extractor_class=features_extractor_class,
            ortho_init=ortho_init,
            optimizer_kwargs=optimizer_kwargs or {"eps": 1e-5, "fused": True},
            **kwargs,
        )
        with torch.no_grad():
            for parameter in self.action_net.parameters():
                parameter.mul_(0.01)

    def initial_memory(self, num_envs: int) -> Tensor:
        """Return the memory of those who have seen nothing, (N, S)."""
        return torch.zeros(num_envs, self.memory_dim, device=self.device)

    def remember(self, features: Tensor, memory: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Add what is remembered to features.

        Args:
            features: (B, F) of single steps, or (B, T, F) of segments.
            memory: (B, S), before them.
            starts: bool (B,) or (B, T), whether a step begins an episode.

        Returns:
            Features of the same number of axes, and the memory after them.
        """
        return features, memory

    def decide(self, observations: Observations, memory: Tensor, starts: Tensor) -> Decision:
        """Draw actions for N environments.

        Args:
            observations: (N, ...).
            memory: (N, S), of the decision before.
            starts: bool (N,), whether an episode begins.
        """
        features, memory = self.remember(self.features(observations), memory, starts)
        distribution, values = self.heads(features)
        actions = distribution.get_actions()
        log_probs = distribution.log_prob(actions)
        return Decision(actions, values, log_probs, memory)

    def expect(self, observations: Observations, memory: Tensor, starts: Tensor) -> Tensor:
        """Return what the critic expects of N environments, (N,); arguments as for `decide`."""
        features, _ = self.remember(self.features(observations), memory, starts)
        return self.heads(features)[1]

    def features(self, observations: Observations) -> Tensor:
        """Return features (B, F) of observations (B, ...); actor and critic share them."""
        features = self.extract_features(observations)
        assert isinstance(features, Tensor)
        return features

    def heads(self, features: Tensor) -> tuple[Distribution, Tensor]:
        """Return the distribution over actions and the values (B,) for features (B, F)."""
        for_actor, for_critic = self.mlp_extractor(features)
        values: Tensor = self.value_net(for_critic).flatten()
        return self._get_action_dist_from_latent(for_actor), values
