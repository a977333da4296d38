"""Actor and critic over tokens with a memory."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule

from ocrl_agents.extractors import TransformerExtractor

__all__ = ["RecurrentPPO", "SlotLstmPolicy"]


class SlotLstmPolicy(RecurrentActorCriticPolicy):
    """`SlotPolicy` with one LSTM, shared by actor and critic, over the features."""

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        features_extractor_class: type[BaseFeaturesExtractor] = TransformerExtractor,
        lstm_dim: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=net_arch or {"pi": [64], "vf": [64]},
            features_extractor_class=features_extractor_class,
            ortho_init=False,
            optimizer_kwargs={"eps": 1e-5, "fused": True},
            lstm_hidden_size=lstm_dim,
            shared_lstm=True,
            enable_critic_lstm=False,
            **kwargs,
        )
        with torch.no_grad():
            for parameter in self.action_net.parameters():
                parameter.mul_(0.01)
