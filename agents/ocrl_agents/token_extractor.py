"""What reads a set of tokens: its base class, and ways to leave out empty ones."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.nn import functional as F

from ocrl.errors import UsageError
from ocrl.wrappers.token_space import TOKENS

Observations = Tensor | dict[str, Tensor]

IGNORED = -1e9
"""The score of what is not to be looked at. Finite: of a set that is empty, no feature is NaN."""


class TokenExtractor(BaseFeaturesExtractor):
    """Embeds tokens, and each further entry of a Dict observation as one more token.

    A slot that holds nothing is all zeros. It is found before the tokens are standardised, and
    takes no part in what is made of the others.

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

    def embed(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Return embedded tokens (B, L, dim), and bool (B, L), which of them are empty.

        L is K plus the number of further entries, which are never empty.
        """
        parts = self._parts(observations)
        embedded = [
            embed(standardise(part))
            for standardise, embed, part in zip(
                self.standardisers, self.embeddings, parts, strict=True
            )
        ]
        empty = F.pad(is_empty(parts[0]), (0, len(self._further)))
        return torch.cat(embedded, dim=1) if self._further else embedded[0], empty

    def calibrate(self, observations: Observations) -> None:
        """Standardise from now on by the mean and spread of each coordinate in these observations.

        Encoders differ by orders of magnitude in how much of a token changes from frame to frame.
        Empty tokens do not count.
        """
        tokens, *further = self._parts(observations)
        seen = tokens[~is_empty(tokens)]
        for standardiser, part in zip(self.standardisers, [seen, *further], strict=True):
            assert isinstance(standardiser, Standardiser)
            if len(part):
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


def is_empty(tokens: Tensor) -> Tensor:
    """Return which tokens (..., D) are empty, bool (...): all zeros.

    >>> is_empty(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    tensor([ True, False])
    """
    return (tokens == 0).all(-1)


def mean_of(tokens: Tensor, counted: Tensor) -> Tensor:
    """Return the mean (B, D) of those tokens (B, L, D) that count, bool (B, L); zeros of none.

    >>> mean_of(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    weights = counted.to(tokens.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1)
    return (weights.unsqueeze(1) @ tokens).squeeze(1)


def max_of(tokens: Tensor, counted: Tensor) -> Tensor:
    """Return the maximum (B, D) of those tokens (B, L, D) that count, bool (B, L); zeros of none.

    >>> max_of(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    largest = tokens.masked_fill(~counted.unsqueeze(-1), IGNORED).amax(1)
    return largest.masked_fill(~counted.any(1, keepdim=True), 0)
