from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn import functional as F

from agents.policies import Block, SlotPolicy, TransformerExtractor
from agents.vec_env import GymnasiumVecEnv
from ocrl.errors import UsageError

TOKENS = gym.spaces.Box(-np.inf, np.inf, (7, 12), np.float32)


def build(**kwargs: Any) -> TransformerExtractor:
    torch.manual_seed(0)
    return TransformerExtractor(TOKENS, **kwargs)


def test_order_of_tokens_does_not_matter() -> None:
    extractor = build()
    tokens = torch.randn(5, 7, 12)
    shuffled = torch.stack([row[torch.randperm(7)] for row in tokens])
    torch.testing.assert_close(extractor(tokens), extractor(shuffled))


def test_every_token_matters_and_scale_is_seen() -> None:
    extractor = build()
    tokens = torch.randn(1, 7, 12)
    for k in range(7):
        changed = tokens.clone()
        changed[0, k, 3] += 1
        assert not torch.allclose(extractor(tokens), extractor(changed), atol=1e-4)
    assert not torch.allclose(extractor(tokens), extractor(2 * tokens), atol=1e-2)


def test_block_equals_torch_transformer_layer() -> None:
    """With the same weights, for all tokens and for the first alone."""
    torch.manual_seed(0)
    block = Block(dim=16, num_heads=4, ff_dim=32)
    layer = nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True
    )
    norm2, linear1, _, linear2 = block.ff
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(
            torch.cat([block.query.weight, block.key_value.weight])
        )
        layer.self_attn.in_proj_bias.copy_(torch.cat([block.query.bias, block.key_value.bias]))
    for ours, theirs in [
        (block.attention_norm, layer.norm1),
        (block.out, layer.self_attn.out_proj),
        (norm2, layer.norm2),
        (linear1, layer.linear1),
        (linear2, layer.linear2),
    ]:
        theirs.load_state_dict(ours.state_dict())
    tokens = torch.randn(3, 6, 16)
    expected = layer(tokens)
    torch.testing.assert_close(block(tokens, num_queries=6), expected)
    torch.testing.assert_close(block(tokens, num_queries=1), expected[:, :1])


def test_has_about_eighty_thousand_parameters() -> None:
    extractor = TransformerExtractor(gym.spaces.Box(-1, 1, (7, 64)))
    assert 70_000 < sum(parameter.numel() for parameter in extractor.parameters()) < 80_000


def test_refuses_observations_that_are_no_tokens() -> None:
    with pytest.raises(UsageError, match="wrap the environments"):
        TransformerExtractor(gym.spaces.Box(0, 255, (8, 8, 3), np.uint8))


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

    model.policy.evaluate_actions = spy  # type: ignore[method-assign]
    _, callback = model._setup_learn(64)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
    old = model.rollout_buffer.log_probs.copy()
    model.train()
    torch.testing.assert_close(
        ratios[0].sort().values, torch.from_numpy(old).flatten().sort().values, atol=1e-5, rtol=1e-5
    )
