"""From a set of tokens to one feature vector: a transformer, and three simpler ways."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocrl.errors import UsageError
from ocrl_agents.token_extractor import (
    IGNORED,
    Observations,
    TokenExtractor,
    max_of,
    mean_of,
)


class Block(nn.Module):
    """A pre-norm transformer block (Xiong et al. 2020): tokens ask each other."""

    def __init__(self, dim: int, num_heads: int, ff_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.ff = _feed_forward(dim, ff_dim)

    def forward(self, tokens: Tensor, empty: Tensor) -> Tensor:
        """Update tokens (B, L, dim); none looks at those that are empty, bool (B, L)."""
        projected = self.query_key_value(self.attention_norm(tokens))
        query, key, value = projected.view(*tokens.shape[:2], 3, self.num_heads, -1).unbind(2)
        attended = F.scaled_dot_product_attention(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=torch.zeros_like(empty, dtype=tokens.dtype).masked_fill(empty, IGNORED)[
                :, None, None
            ],
        )
        tokens = tokens + self.out(attended.transpose(1, 2).flatten(2))
        updated: Tensor = tokens + self.ff(tokens)
        return updated


class AttentionPooling(nn.Module):
    """One vector of a set of tokens: a learned query asks them all (Lee et al. 2019, section 3.2).

    The query does not depend on the tokens. So queries times key weights is one vector a head, and
    tokens are mixed before their values are projected: what multi-head attention computes, for a
    fraction of the time.
    """

    def __init__(self, dim: int, num_heads: int, ff_dim: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.ask = nn.Linear(dim, num_heads, bias=False)
        self.mix = nn.Linear(num_heads * dim, dim)
        self.ff = _feed_forward(dim, ff_dim)

    def forward(self, tokens: Tensor, empty: Tensor) -> Tensor:
        """Return (B, dim) of tokens (B, L, dim), of which some are empty, bool (B, L)."""
        normed = self.attention_norm(tokens)
        pooled = self.mix((self._weights(normed, empty) @ normed).flatten(1))
        features: Tensor = pooled + self.ff(pooled)
        return features

    def attention(self, tokens: Tensor, empty: Tensor) -> Tensor:
        """Return how much each token counts, mean over heads, (B, L)."""
        return self._weights(self.attention_norm(tokens), empty).mean(1)

    def _weights(self, normed: Tensor, empty: Tensor) -> Tensor:
        scores: Tensor = self.ask(normed).masked_fill(empty.unsqueeze(-1), IGNORED)
        return scores.softmax(1).transpose(1, 2)


class TransformerExtractor(TokenExtractor):
    """A transformer over tokens, read out by attention with a learned query.

    It has no position codes and no dropout: the order of the tokens does not matter, and the same
    tokens give the same features in rollout and update.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width, and number of features.
        depth: number of layers: the last one reads out, in those before tokens ask each other.
        num_heads: attention heads of each.
        ff_dim: hidden width of each layer's feed-forward part.
        num_parameters: choose `ff_dim` so that there are about this many parameters, to compare
            encoders whose tokens differ in width.

    Raises:
        UsageError: if the observation is no set of tokens, or the parameters are too few.

    >>> space = gym.spaces.Box(-1, 1, (7, 64))
    >>> TransformerExtractor(space)(torch.ones(2, 7, 64)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        dim: int = 64,
        depth: int = 1,
        num_heads: int = 4,
        ff_dim: int = 128,
        num_parameters: int | None = None,
    ) -> None:
        super().__init__(observation_space, dim)
        self.norm = nn.LayerNorm(dim)

        def layers(ff_dim: int) -> nn.ModuleList:
            blocks = (Block(dim, num_heads, ff_dim) for _ in range(depth - 1))
            return nn.ModuleList([*blocks, AttentionPooling(dim, num_heads, ff_dim)])

        if num_parameters is not None:
            thinnest = count_parameters(self) + count_parameters(layers(1))
            ff_dim = 1 + round((num_parameters - thinnest) / (depth * (2 * dim + 1)))
            if ff_dim < 1:
                raise UsageError(
                    f"num_parameters={num_parameters} is less than the {thinnest} that these "
                    "tokens need at least: choose more, or a smaller dim or depth"
                )
        self.layers = layers(ff_dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        pooling = self.layers[-1]
        features: Tensor = self.norm(pooling(*self._before_pooling(observations)))
        return features

    def attention(self, observations: Observations) -> Tensor:
        """Return how much the policy looks at each token, (B, K).

        The rest of the sum to one goes to further entries.
        """
        pooling = self.layers[-1]
        assert isinstance(pooling, AttentionPooling)
        return pooling.attention(*self._before_pooling(observations))[:, : self.num_tokens]

    def _before_pooling(self, observations: Observations) -> tuple[Tensor, Tensor]:
        tokens, empty = self.embed(observations)
        for block in list(self.layers)[:-1]:
            tokens = block(tokens, empty)
        return tokens, empty


class MLPExtractor(TokenExtractor):
    """All tokens in a row through an MLP: the order of the tokens matters.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width of the embedded tokens, and number of features.
        hidden_dim: width of the hidden layer.
    """

    def __init__(
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 65
    ) -> None:
        super().__init__(observation_space, dim)
        length = self.num_tokens + len(self._further)
        self.mlp = _mlp(length * dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        tokens, empty = self.embed(observations)
        features: Tensor = self.mlp(tokens.masked_fill(empty.unsqueeze(-1), 0).flatten(1))
        return features


class DeepSetsExtractor(TokenExtractor):
    """Each token through an MLP, then their mean and maximum through another.

    After Zaheer et al. 2017, theorem 2, whose sum is a mean here; the maximum is that of Qi et al.
    2017 (PointNet), equation 1. The mean alone cannot tell one goal among many tokens well.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width of the embedded tokens, and number of features.
        hidden_dim: width of the hidden layers.
    """

    def __init__(
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 86
    ) -> None:
        super().__init__(observation_space, dim)
        self.phi = _mlp(dim, hidden_dim, hidden_dim)
        self.rho = _mlp(2 * hidden_dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        tokens, empty = self.embed(observations)
        each = self.phi(tokens)
        pooled = torch.cat([mean_of(each, ~empty), max_of(each, ~empty)], dim=1)
        features: Tensor = self.rho(pooled)
        return features


class RelationNetworkExtractor(TokenExtractor):
    """All pairs of tokens through an MLP, then their mean through another (Santoro et al. 2017).

    Time and memory grow with the square of the number of tokens: for slots, not for dense grids.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width of the embedded tokens, and number of features.
        hidden_dim: width of the hidden layers.
    """

    def __init__(
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 90
    ) -> None:
        super().__init__(observation_space, dim)
        self.g = _mlp(2 * dim, hidden_dim, hidden_dim)
        self.f = _mlp(hidden_dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        tokens, empty = self.embed(observations)
        shape = (-1, tokens.shape[1], tokens.shape[1], -1)
        pairs = torch.cat([tokens[:, :, None].expand(shape), tokens[:, None].expand(shape)], dim=-1)
        full = ~(empty[:, :, None] | empty[:, None])
        features: Tensor = self.f(mean_of(self.g(pairs).flatten(1, 2), full.flatten(1)))
        return features


def count_parameters(module: nn.Module) -> int:
    """Return the number of trainable parameters.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _mlp(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, out_dim), nn.GELU()
    )


def _feed_forward(dim: int, hidden_dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim), nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim)
    )
