"""From a set of tokens to one feature vector: a transformer, and three simpler ways."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn import functional as F

from ocrl.errors import UsageError
from ocrl.wrappers.token_stream import TOKENS

Observations = Tensor | dict[str, Tensor]


class TokenExtractor(BaseFeaturesExtractor):
    """Embeds tokens, and each further entry of a Dict observation as one more token.

    Args:
        observation_space: Box (K, D), or a Dict with such a box as `tokens` and further entries,
            such as a velocity or the previous action.
        dim: width of the embedded tokens, and number of features.

    Attributes:
        num_tokens: K.

    Raises:
        UsageError: if the observation is no set of tokens.
    """

    def __init__(self, observation_space: gym.Space[Any], dim: int) -> None:
        super().__init__(observation_space, features_dim=dim)
        entries = (
            observation_space.spaces
            if isinstance(observation_space, spaces.Dict)
            else {TOKENS: observation_space}
        )
        shape = entries[TOKENS].shape if TOKENS in entries else None
        if shape is None or len(shape) != 2:
            raise UsageError(
                f"the policy reads tokens, Box (K, D), the observation is {observation_space}: "
                "wrap the environments with an encoder, e.g. ocrl_agents.vec_env.VecSlotObservation"
            )
        self.num_tokens = shape[0]
        self._further = sorted(entries.keys() - {TOKENS})
        widths = [shape[1], *(get_flattened_obs_dim(entries[key]) for key in self._further)]
        self.standardisers = nn.ModuleList(Standardiser(width) for width in widths)
        # the norm comes second: on few coordinates, such as a position, it would erase the scale
        self.embeddings = nn.ModuleList(
            nn.Sequential(nn.Linear(width, dim), nn.LayerNorm(dim)) for width in widths
        )

    def embed(self, observations: Observations) -> Tensor:
        """Return embedded tokens (B, K + number of further entries, dim)."""
        parts = zip(self.standardisers, self.embeddings, self._parts(observations), strict=True)
        return torch.cat([embed(standardise(part)) for standardise, embed, part in parts], dim=1)

    def calibrate(self, observations: Observations) -> None:
        """Standardise from now on by the mean and spread of each coordinate in these observations.

        Encoders differ by orders of magnitude in how much of a token changes from frame to frame.
        """
        for standardiser, part in zip(self.standardisers, self._parts(observations), strict=True):
            assert isinstance(standardiser, Standardiser)
            standardiser.calibrate(part)

    def _parts(self, observations: Observations) -> list[Tensor]:
        if isinstance(observations, Tensor):
            observations = {TOKENS: observations}
        further = [observations[key].flatten(1).unsqueeze(1) for key in self._further]
        return [observations[TOKENS], *further]


class Standardiser(nn.Module):
    """Subtracts a fixed mean and divides by a fixed spread, the same for all tokens."""

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Standardise tokens (..., width)."""
        return (tokens - self.mean) / self.spread

    def calibrate(self, tokens: Tensor) -> None:
        """Measure mean and spread; a coordinate that did not change keeps its unit."""
        flat = tokens.flatten(0, -2)
        spread = flat.std(0, correction=0)
        self.mean.copy_(flat.mean(0))
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))


class Block(nn.Module):
    """A pre-norm transformer block (Xiong et al. 2020) in which the first tokens ask all tokens."""

    def __init__(self, dim: int, num_heads: int, ff_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.ff = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, ff_dim), nn.GELU(), nn.Linear(ff_dim, dim)
        )

    def forward(self, tokens: Tensor, num_queries: int) -> Tensor:
        """Update the first `num_queries` of tokens (B, L, dim) and return them alone."""
        query, key, value = self._project(tokens, num_queries)
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens[:, :num_queries] + self.out(attended.transpose(1, 2).flatten(2))
        updated: Tensor = tokens + self.ff(tokens)
        return updated

    def attention(self, tokens: Tensor, num_queries: int) -> Tensor:
        """Return how much the first tokens look at each, mean over heads, (B, num_queries, L)."""
        query, key, _ = self._project(tokens, num_queries)
        scores: Tensor = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        return scores.softmax(-1).mean(1)

    def _project(self, tokens: Tensor, num_queries: int) -> tuple[Tensor, Tensor, Tensor]:
        normed = self.attention_norm(tokens)
        key, value = self.key_value(normed).chunk(2, dim=-1)
        return (
            self._split(self.query(normed[:, :num_queries])),
            self._split(key),
            self._split(value),
        )

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.view(*tokens.shape[:2], self.num_heads, -1).transpose(1, 2)


class TransformerExtractor(TokenExtractor):
    """A transformer over tokens, read out by a CLS token.

    It has no position codes and no dropout: the order of the tokens does not matter, and the same
    tokens give the same features in rollout and update.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width, and number of features.
        depth: number of blocks.
        num_heads: attention heads of each.
        ff_dim: hidden width of each block's feed-forward part.
        num_parameters: choose `ff_dim` so that there are about this many parameters, to compare
            encoders whose tokens differ in width.

    Raises:
        UsageError: if the observation is no set of tokens, or the parameters are too few.

    >>> space = gym.spaces.Box(-1, 1, (7, 64))
    >>> TransformerExtractor(space)(torch.zeros(2, 7, 64)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        dim: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        ff_dim: int = 128,
        num_parameters: int | None = None,
    ) -> None:
        super().__init__(observation_space, dim)
        self.cls = nn.Parameter(0.02 * torch.randn(dim))
        self.norm = nn.LayerNorm(dim)
        if num_parameters is not None:
            thinnest = count_parameters(self) + depth * count_parameters(Block(dim, num_heads, 1))
            ff_dim = 1 + round((num_parameters - thinnest) / (depth * (2 * dim + 1)))
            if ff_dim < 1:
                raise UsageError(
                    f"num_parameters={num_parameters} is less than the {thinnest} that these "
                    "tokens need at least: choose more, or a smaller dim or depth"
                )
        self.blocks = nn.ModuleList(Block(dim, num_heads, ff_dim) for _ in range(depth))

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        # the CLS token alone is read, so the last block updates nothing else
        last = self.blocks[-1]
        features: Tensor = self.norm(last(self._before_last(observations), num_queries=1)[:, 0])
        return features

    def attention(self, observations: Observations) -> Tensor:
        """Return how much the policy looks at each token, (B, K): its CLS token, in the last block.

        The rest of the sum to one goes to the CLS token itself and to further entries.
        """
        last = self.blocks[-1]
        assert isinstance(last, Block)
        weights = last.attention(self._before_last(observations), num_queries=1)
        return weights[:, 0, 1 : 1 + self.num_tokens]

    def _before_last(self, observations: Observations) -> Tensor:
        embedded = self.embed(observations)
        tokens = torch.cat([self.cls.expand(len(embedded), 1, -1), embedded], dim=1)
        for block in list(self.blocks)[:-1]:
            tokens = block(tokens, num_queries=tokens.shape[1])
        return tokens


class MLPExtractor(TokenExtractor):
    """All tokens in a row through an MLP: the order of the tokens matters.

    Args:
        observation_space: see `TokenExtractor`.
        dim: width of the embedded tokens, and number of features.
        hidden_dim: width of the hidden layer.
    """

    def __init__(
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 140
    ) -> None:
        super().__init__(observation_space, dim)
        length = self.num_tokens + len(self._further)
        self.mlp = _mlp(length * dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        features: Tensor = self.mlp(self.embed(observations).flatten(1))
        return features


class DeepSetsExtractor(TokenExtractor):
    """Each token through an MLP, then their mean through another (Zaheer et al. 2017, theorem 2).

    Args:
        observation_space: see `TokenExtractor`.
        dim: width of the embedded tokens, and number of features.
        hidden_dim: width of the hidden layers.
    """

    def __init__(
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 156
    ) -> None:
        super().__init__(observation_space, dim)
        self.phi = _mlp(dim, hidden_dim, hidden_dim)
        self.rho = _mlp(hidden_dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        features: Tensor = self.rho(self.phi(self.embed(observations)).mean(1))
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
        self, observation_space: gym.Space[Any], dim: int = 64, hidden_dim: int = 144
    ) -> None:
        super().__init__(observation_space, dim)
        self.g = _mlp(2 * dim, hidden_dim, hidden_dim)
        self.f = _mlp(hidden_dim, hidden_dim, dim)

    def forward(self, observations: Observations) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        tokens = self.embed(observations)
        shape = (-1, tokens.shape[1], tokens.shape[1], -1)
        pairs = torch.cat([tokens[:, :, None].expand(shape), tokens[:, None].expand(shape)], dim=-1)
        features: Tensor = self.f(self.g(pairs).mean((1, 2)))
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
