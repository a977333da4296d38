"""The policy's view of a scene: a set of tokens in, one feature vector out."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn
from torch.nn import functional as F

from ocrl.errors import UsageError


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
        normed = self.attention_norm(tokens)
        query = self._split(self.query(normed[:, :num_queries]))
        key, value = (self._split(part) for part in self.key_value(normed).chunk(2, dim=-1))
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens[:, :num_queries] + self.out(attended.transpose(1, 2).flatten(2))
        updated: Tensor = tokens + self.ff(tokens)
        return updated

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.view(*tokens.shape[:2], self.num_heads, -1).transpose(1, 2)


class TransformerExtractor(BaseFeaturesExtractor):
    """A transformer over tokens (B, K, D), read out by a CLS token.

    It has no position codes and no dropout: the order of the tokens does not matter, and the same
    tokens give the same features in rollout and update.

    Args:
        observation_space: Box (K, D).
        dim: width, and number of features.
        depth: number of blocks.
        num_heads: attention heads of each.
        ff_dim: hidden width of each block's feed-forward part.

    Raises:
        UsageError: if the observation is no set of tokens.

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
    ) -> None:
        super().__init__(observation_space, features_dim=dim)
        shape = observation_space.shape
        if shape is None or len(shape) != 2:
            raise UsageError(
                f"the policy reads tokens, Box (K, D), the observation is {observation_space}: "
                "wrap the environments with an encoder, e.g. agents.vec_env.VecSlotObservation"
            )
        # the norm comes second: on few coordinates, such as a position, it would erase the scale
        self.embed = nn.Sequential(nn.Linear(shape[1], dim), nn.LayerNorm(dim))
        self.cls = nn.Parameter(0.02 * torch.randn(dim))
        self.blocks = nn.ModuleList(Block(dim, num_heads, ff_dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return features (B, dim) of tokens (B, K, D)."""
        tokens = torch.cat([self.cls.expand(len(tokens), 1, -1), self.embed(tokens)], dim=1)
        *wide, last = self.blocks
        for block in wide:
            tokens = block(tokens, num_queries=tokens.shape[1])
        # the CLS token alone is read, so the last block updates nothing else
        features: Tensor = self.norm(last(tokens, num_queries=1)[:, 0])
        return features


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
