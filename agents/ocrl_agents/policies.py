"""Actor and critic over tokens."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule

from ocrl_agents.extractors import TransformerExtractor


class SlotPolicy(ActorCriticPolicy):
    """Actor and critic over tokens, with defaults that leave pretrained weights as they are.

    stable-baselines3 would initialise every linear and convolutional layer anew, those of a
    pretrained encoder among them. Only the last layer of the actor is scaled down, so that the
    first policy is nearly uniform (Andrychowicz et al. 2021, section 3.2).

        >>> from stable_baselines3 import PPO
        >>> PPO(SlotPolicy, venv)                                       # doctest: +SKIP
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        features_extractor_class: type[BaseFeaturesExtractor] = TransformerExtractor,
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
            **kwargs,
        )
        with torch.no_grad():
            for parameter in self.action_net.parameters():
                parameter.mul_(0.01)
