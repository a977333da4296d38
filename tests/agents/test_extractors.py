"""Ways to read a set of tokens: order, parameters, further entries, references."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from torch import nn
from torch.nn import functional as F

from ocrl.errors import UsageError
from ocrl_agents.extractors import (
    AttentionPooling,
    Block,
    DeepSetsExtractor,
    MLPExtractor,
    RelationNetworkExtractor,
    TransformerExtractor,
    count_parameters,
)
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.token_extractor import TokenExtractor
from ocrl_agents.vec_env import GymnasiumVecEnv

TOKENS = spaces.Box(-np.inf, np.inf, (7, 12), np.float32)
SLOTS = spaces.Box(-np.inf, np.inf, (7, 64), np.float32)
VECTOR = spaces.Box(-np.inf, np.inf, (1, 512), np.float32)
GRID = spaces.Box(-np.inf, np.inf, (64, 64), np.float32)
ENTRIES = spaces.Dict(
    {"tokens": TOKENS, "VEL.TRANS": spaces.Box(-1, 1, (3,)), "previous_action": spaces.Discrete(4)}
)
ALL = [TransformerExtractor, MLPExtractor, DeepSetsExtractor, RelationNetworkExtractor]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("extractor_class", ALL)
def test_order_of_tokens_matters_to_the_mlp_alone(extractor_class: type[TokenExtractor]) -> None:
    extractor = extractor_class(TOKENS)
    tokens = torch.randn(5, 7, 12)
    shuffled = torch.stack([row[torch.randperm(7)] for row in tokens])
    same = torch.allclose(extractor(tokens), extractor(shuffled), atol=1e-5)
    assert same == (extractor_class is not MLPExtractor)


@pytest.mark.parametrize("extractor_class", ALL)
def test_every_token_matters_and_scale_is_seen(extractor_class: type[TokenExtractor]) -> None:
    extractor = extractor_class(TOKENS)
    tokens = torch.randn(1, 7, 12)
    for k in range(7):
        changed = tokens.clone()
        changed[0, k, 3] += 1
        assert not torch.allclose(extractor(tokens), extractor(changed), atol=1e-5)
    assert not torch.allclose(extractor(tokens), extractor(2 * tokens), atol=1e-3)


@pytest.mark.parametrize("extractor_class", ALL)
def test_further_entries_are_seen(extractor_class: type[TokenExtractor]) -> None:
    extractor = extractor_class(ENTRIES)
    observations = {
        "tokens": torch.randn(2, 7, 12),
        "VEL.TRANS": torch.randn(2, 3),
        "previous_action": F.one_hot(torch.tensor([0, 3]), 4).float(),
    }
    features = extractor(observations)
    assert features.shape == (2, extractor.features_dim)
    for key, value in observations.items():
        changed = {**observations, key: torch.roll(value, 1, dims=-1)}
        assert not torch.allclose(features, extractor(changed), atol=1e-5)


def test_relation_network_equals_a_loop_over_pairs() -> None:
    extractor = RelationNetworkExtractor(TOKENS)
    tokens = torch.randn(1, 7, 12)
    embedded = extractor.embed(tokens)[0][0]
    related = [extractor.g(torch.cat([a, b])) for a in embedded for b in embedded]
    expected = extractor.f(torch.stack(related).mean(0))
    torch.testing.assert_close(extractor(tokens)[0], expected)


def test_block_equals_torch_transformer_layer() -> None:
    """With the same weights, and empty tokens as its padding."""
    block = Block(dim=16, num_heads=4, ff_dim=32)
    layer = nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True
    )
    norm2, linear1, _, linear2 = block.ff
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(block.query_key_value.weight)
        layer.self_attn.in_proj_bias.copy_(block.query_key_value.bias)
    for ours, theirs in [
        (block.attention_norm, layer.norm1),
        (block.out, layer.self_attn.out_proj),
        (norm2, layer.norm2),
        (linear1, layer.linear1),
        (linear2, layer.linear2),
    ]:
        theirs.load_state_dict(ours.state_dict())
    tokens = torch.randn(3, 6, 16)
    empty = torch.zeros(3, 6, dtype=torch.bool)
    torch.testing.assert_close(block(tokens, empty), layer(tokens))
    empty[0, 1] = empty[2, 3:] = True
    padded = layer(tokens, src_key_padding_mask=empty)
    torch.testing.assert_close(block(tokens, empty), padded)


def test_pooling_equals_multi_head_attention_with_one_query() -> None:
    """Against `nn.MultiheadAttention`, whose weights ours are products of."""
    dim, heads = 16, 4
    pooling = AttentionPooling(dim, heads, ff_dim=32)
    reference = nn.MultiheadAttention(dim, heads, batch_first=True)
    torch.nn.init.normal_(reference.in_proj_bias)
    query = torch.randn(dim)
    to_query, to_key, to_value = reference.in_proj_weight.chunk(3)
    asked = (to_query @ query + reference.in_proj_bias[:dim]).view(heads, -1)
    per_head = reference.out_proj.weight.view(dim, heads, -1)
    with torch.no_grad():
        scaled = torch.einsum("he,hed->hd", asked, to_key.view(heads, -1, dim)) / 2
        pooling.ask.weight.copy_(scaled)
        mixed = torch.einsum("ohe,hed->ohd", per_head, to_value.view(heads, -1, dim))
        pooling.mix.weight.copy_(mixed.flatten(1))
        bias = reference.out_proj.weight @ reference.in_proj_bias[2 * dim :]
        pooling.mix.bias.copy_(bias + reference.out_proj.bias)
    tokens = torch.randn(3, 6, dim)
    empty = torch.zeros(3, 6, dtype=torch.bool)
    empty[0, 1] = empty[2, 3:] = True
    normed = pooling.attention_norm(tokens)
    queries = query.expand(3, 1, -1)
    expected, weights = reference(queries, normed, normed, key_padding_mask=empty)
    expected = expected[:, 0] + pooling.ff(expected[:, 0])
    torch.testing.assert_close(pooling(tokens, empty), expected)
    torch.testing.assert_close(pooling.attention(tokens, empty), weights[:, 0])


@pytest.mark.parametrize(
    "extractor_class", [*ALL, lambda space: TransformerExtractor(space, depth=2)]
)
def test_empty_slots_take_no_part(extractor_class: Any) -> None:
    """More of them change nothing, whatever zeros become when they are standardised."""
    few, many = (spaces.Box(-np.inf, np.inf, (number, 12), np.float32) for number in (4, 7))
    reads_few, reads_many = extractor_class(few), extractor_class(many)
    if isinstance(reads_few, MLPExtractor):
        with torch.no_grad():
            reads_few.mlp[0].weight.copy_(reads_many.mlp[0].weight[:, : 4 * 64])
        weights = {k: v for k, v in reads_many.state_dict().items() if k != "mlp.0.weight"}
        reads_few.load_state_dict(weights, strict=False)
    else:
        reads_few.load_state_dict(reads_many.state_dict())
    tokens = torch.randn(5, 4, 12) + 3
    padded = F.pad(tokens, (0, 0, 0, 3))
    reads_few.calibrate(tokens)
    reads_many.calibrate(padded)
    torch.testing.assert_close(reads_many(padded), reads_few(tokens))
    nothing = reads_many(torch.zeros(5, 7, 12))
    assert torch.isfinite(nothing).all()
    nothing.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in reads_many.parameters())


def test_attention_belongs_to_its_token() -> None:
    extractor = TransformerExtractor(ENTRIES)
    observations = {
        "tokens": torch.randn(2, 7, 12),
        "VEL.TRANS": torch.randn(2, 3),
        "previous_action": torch.zeros(2, 4),
    }
    attention = extractor.attention(observations)
    assert attention.shape == (2, 7)
    assert (attention.sum(1) < 1).all()
    order = torch.randperm(7)
    observations["tokens"] = observations["tokens"][:, order]
    torch.testing.assert_close(extractor.attention(observations), attention[:, order])


def test_ways_to_read_slots_have_matched_parameters() -> None:
    counts = {cls.__name__: count_parameters(cls(SLOTS)) for cls in ALL}
    print(counts)
    assert max(counts.values()) < 1.1 * min(counts.values()), counts


def test_encoders_get_matched_parameters() -> None:
    counts = {
        shape: count_parameters(TransformerExtractor(space, num_parameters=110_000))
        for shape, space in {"slots": SLOTS, "vector": VECTOR, "grid": GRID}.items()
    }
    print(counts)
    assert all(abs(count - 110_000) < 200 for count in counts.values()), counts
    with pytest.raises(UsageError, match="at least"):
        TransformerExtractor(VECTOR, num_parameters=40_000)


@pytest.mark.parametrize("extractor_class", ALL)
def test_stable_baselines_trains_each(extractor_class: type[TokenExtractor], room: type) -> None:
    model = PPO(
        SlotPolicy,
        GymnasiumVecEnv(room(4)),
        n_steps=16,
        batch_size=32,
        policy_kwargs={"features_extractor_class": extractor_class},
    )
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(128)
    moved = [not torch.equal(a, b) for a, b in zip(before, model.policy.parameters(), strict=True)]
    assert np.mean(moved) > 0.9


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 255, (8, 8, 3), np.uint8),
        spaces.Box(-1, 1, (64,)),
        spaces.Dict({"velocity": spaces.Box(-1, 1, (3,))}),
        spaces.Discrete(4),
    ],
)
def test_refuses_observations_that_are_no_tokens(space: gym.Space[object]) -> None:
    with pytest.raises(UsageError, match="wrap the environments"):
        TransformerExtractor(space)
