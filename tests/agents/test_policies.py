from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from ocrl_agents.memory import Memory, MemoryPolicy
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.vec_env import GymnasiumVecEnv

TOKENS = gym.spaces.Box(-np.inf, np.inf, (7, 12), np.float32)


class Pretrained(BaseFeaturesExtractor):
    """A frozen convolution and a linear layer, as a pretrained encoder has them."""

    def __init__(self, observation_space: gym.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=12)
        self.linear = nn.Linear(12, 12)
        nn.init.constant_(self.linear.weight, 0.5)
        nn.init.constant_(self.linear.bias, 0.25)

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.linear(tokens).mean(1)
        return features


def test_pretrained_weights_are_not_initialised_anew() -> None:
    def weights(policy: Any) -> Tensor:
        linear = policy.features_extractor.linear
        return torch.cat([linear.weight.flatten(), linear.bias])

    def make(policy: Any) -> Any:
        return policy(
            TOKENS, gym.spaces.Discrete(4), lambda _: 0.0, features_extractor_class=Pretrained
        )

    expected = torch.cat([torch.full((144,), 0.5), torch.full((12,), 0.25)])
    torch.testing.assert_close(weights(make(SlotPolicy)), expected)
    # the danger is real: the default policy does it
    default = PPO.policy_aliases["MlpPolicy"]
    assert not torch.allclose(weights(make(default)), expected)


def test_first_policy_is_nearly_uniform() -> None:
    torch.manual_seed(0)
    policy = SlotPolicy(TOKENS, gym.spaces.Discrete(8), lambda _: 0.0)
    distribution = policy.get_distribution(torch.randn(64, 7, 12))
    assert distribution.entropy().min() > 0.999 * np.log(8)


def test_ratio_is_one_on_the_first_minibatch(room: Any) -> None:
    """Rollout and update see the same policy: no dropout, no state, no noise."""
    model = PPO(SlotPolicy, GymnasiumVecEnv(room(4)), n_steps=16, batch_size=64, seed=0)
    ratios: list[Tensor] = []
    evaluate_actions = model.policy.evaluate_actions

    def spy(observations: Any, actions: Tensor) -> Any:
        values, log_prob, entropy = evaluate_actions(observations, actions)
        ratios.append(log_prob.detach())
        return values, log_prob, entropy

    model.policy.evaluate_actions = spy
    _, callback = model._setup_learn(64)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
    old = model.rollout_buffer.log_probs.copy()
    model.train()
    torch.testing.assert_close(
        ratios[0].sort().values, torch.from_numpy(old).flatten().sort().values, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("policy", "own"), [(SlotPolicy, {}), (MemoryPolicy, {"lstm_dim": 16, "memory_class": Memory})]
)
def test_a_policy_is_saved_and_loaded_as_others_of_stable_baselines3(
    policy: type[SlotPolicy], own: dict[str, Any], tmp_path: Path
) -> None:
    saved = policy(TOKENS, gym.spaces.Discrete(4), lambda _: 0.0, net_arch=[8], **own)
    saved.save(str(tmp_path / "policy.pt"))
    loaded = policy.load(tmp_path / "policy.pt")
    assert str(loaded) == str(saved)
    for name, weight in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_arguments_of_the_optimiser_are_ones_own() -> None:
    arguments = {"eps": 1e-3, "weight_decay": 0.1}
    policy = SlotPolicy(TOKENS, gym.spaces.Discrete(4), lambda _: 0.0, optimizer_kwargs=arguments)
    assert arguments.items() <= policy.optimizer.defaults.items()
