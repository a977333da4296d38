"""Worlds and encoders with known answers, and what a wrapper should show of them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import Tensor

from ocrl.encoder import Encoder, EncoderOutput

SIZE = (8, 8)
LENGTHS = (3, 1, 5, 2)


class RecurrentEncoder(Encoder):
    """Tokens depend on every frame since the last first one, and on their order."""

    def __init__(self, num_tokens: int = 3, token_dim: int = 4) -> None:
        super().__init__()
        self.num_tokens, self.token_dim, self.image_size = num_tokens, token_dim, SIZE
        generator = torch.Generator().manual_seed(0)
        scale = 1.5 / (SIZE[0] * SIZE[1] * 3) ** 0.5
        weights = torch.randn(SIZE[0] * SIZE[1] * 3, num_tokens * token_dim, generator=generator)
        self.project = torch.nn.Parameter(scale * weights)
        self.mix = torch.nn.Parameter(torch.randn(token_dim, token_dim, generator=generator))

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.full((batch_size, self.num_tokens, self.token_dim), 0.25)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        self.check_frames(frames)
        assert state is not None
        state = torch.where(is_first[:, None, None], self.initial_state(len(frames)), state)
        seen = (frames.flatten(1).float() / 255) @ self.project
        tokens = torch.tanh(state @ self.mix + seen.unflatten(1, (self.num_tokens, -1)))
        masks = torch.softmax(tokens.mean(-1), dim=1)[:, :, None, None].expand(-1, -1, 2, 2)
        return EncoderOutput(tokens=tokens, masks=masks, state=tokens)


class StatelessEncoder(Encoder):
    """A single vector of colour means; carries nothing and looks nowhere."""

    num_tokens, token_dim, image_size = 1, 3, SIZE

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        assert state is None
        return EncoderOutput(frames.float().mean((1, 2))[:, None] / 255, masks=None, state=None)


class Flicker(gym.Env[Any, Any]):
    """Random frames; the episodes of environment `index` have the lengths LENGTHS[index:]."""

    def __init__(
        self,
        index: int = 0,
        shape: tuple[int, ...] = (*SIZE, 3),
        key: str = "",
        lengths: tuple[int, ...] = LENGTHS,
    ) -> None:
        image = gym.spaces.Box(0, 255, shape, np.uint8)
        self.key, self.lengths = key, lengths
        self.observation_space = (
            gym.spaces.Dict({key: image, "speed": gym.spaces.Box(-1, 1, (2,), np.float32)})
            if key
            else image
        )
        self.action_space = gym.spaces.Discrete(2)
        self.image, self.episode, self.time = image, index - 1, 0

    def _observe(self) -> Any:
        frame = self.np_random.integers(0, 256, self.image.shape, dtype=np.uint8)
        if not self.key:
            return frame
        return {self.key: frame, "speed": np.full(2, self.time / 10, np.float32)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        ended = self.time >= self.lengths[self.episode % len(self.lengths)]
        return self._observe(), float(self.time), ended, False, {"time": self.time}


class Record(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps the frames of every episode, as the reference is to see them."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.episodes: list[list[Any]] = []

    def reset(self, **kwargs: Any) -> Any:
        observation, info = self.env.reset(**kwargs)
        self.episodes.append([observation])
        return observation, info

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        self.episodes[-1].append(result[0])
        return result


def reference(encoder: Encoder, episode: list[Any]) -> Any:
    """Encode one episode on its own."""
    return encoder.encode_video(torch.from_numpy(np.stack(episode))[None]).tokens[0].detach()


def vector_env(mode: AutoresetMode, num_envs: int = 3) -> tuple[SyncVectorEnv, list[Record]]:
    records = [Record(Flicker(i)) for i in range(num_envs)]
    envs = SyncVectorEnv([lambda r=r: r for r in records], autoreset_mode=mode)
    return envs, records


def assert_same_episodes(encoder: Encoder, records: list[Record], seen: list[list[Any]]) -> None:
    """`seen[i]` are the tokens of environment i in order, terminal ones included."""
    for record, tokens in zip(records, seen, strict=True):
        expected = torch.cat([reference(encoder, episode) for episode in record.episodes])
        torch.testing.assert_close(torch.from_numpy(np.stack(tokens)), expected[: len(tokens)])
