"""Small environments and encoders with known answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from ocrl.encoder import Encoder, EncoderOutput

SIZE = (8, 8)


class RecurrentEncoder(Encoder):
    """Tokens depend on every frame since the last first one, and on their order."""

    def __init__(self, num_tokens: int = 3, token_dim: int = 4, seed: int = 0) -> None:
        super().__init__()
        self.num_tokens, self.token_dim, self.image_size = num_tokens, token_dim, SIZE
        generator = torch.Generator().manual_seed(seed)
        num_values = SIZE[0] * SIZE[1] * 3
        weights = torch.randn(num_values, num_tokens * token_dim, generator=generator)
        self.project = torch.nn.Parameter(weights * 1.5 / num_values**0.5)
        self.mix = torch.nn.Parameter(torch.randn(token_dim, token_dim, generator=generator))

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.full((batch_size, self.num_tokens, self.token_dim), 0.25)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        assert state is not None
        state = torch.where(is_first[:, None, None], self.initial_state(len(frames)), state)
        seen = (frames.flatten(1).float() / 255) @ self.project
        tokens = torch.tanh(state @ self.mix + seen.unflatten(1, (self.num_tokens, -1)))
        return EncoderOutput(tokens=tokens, masks=None, state=tokens)


class Flicker(gym.Env[Any, Any]):
    """Random frames; even episodes end, odd ones are cut off; lengths differ."""

    lengths = (3, 1, 5, 2)

    def __init__(self, index: int = 0) -> None:
        self.observation_space = gym.spaces.Box(0, 255, (*SIZE, 3), np.uint8)
        self.action_space = gym.spaces.Discrete(2)
        self.index, self.episode, self.time = index, index - 1, 0
        self.last_options: dict[str, Any] | None = None

    def _observe(self) -> Any:
        return self.np_random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.last_options = options
        if seed is not None:
            self.episode = self.index - 1
        self.episode, self.time = self.episode + 1, 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        ended = self.time >= self.lengths[self.episode % len(self.lengths)]
        is_even = self.episode % 2 == 0
        info = {"goals": self.time, "success": bool(action)} if ended else {"noise": 1}
        return self._observe(), float(action), ended and is_even, ended and not is_even, info


class Room(VectorEnv[Any, Any, Any]):
    """An open room with one visible goal among distractors, seen as ground-truth tokens.

    A token is where a thing is, relative to the agent, and whether it is the goal; the order of
    tokens changes with every step. Going straight for the goal always succeeds.
    """

    num_things, reach, stride, time_limit = 4, 0.12, 0.12, 24

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = gym.spaces.Box(-2, 2, (self.num_things, 3), np.float32)
        self.single_action_space = gym.spaces.Discrete(8)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.generators = [np.random.default_rng(i) for i in range(num_envs)]
        self.things = np.zeros((num_envs, self.num_things, 2))
        self.agent = np.zeros((num_envs, 2))
        self.time = np.zeros(num_envs, int)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self.generators = [np.random.default_rng(s) for s in seed]
        for i in range(self.num_envs):
            self._restart(i)
        return self._observe(), {}

    def _restart(self, i: int) -> None:
        self.things[i] = self.generators[i].random((self.num_things, 2))
        self.agent[i] = self.generators[i].random(2)
        self.time[i] = 0

    def _observe(self) -> Any:
        tokens = np.zeros((self.num_envs, self.num_things, 3), np.float32)
        tokens[:, :, :2] = self.things - self.agent[:, None]
        tokens[:, 0, 2] = 1
        for generator, rows in zip(self.generators, tokens, strict=True):
            generator.shuffle(rows)
        return tokens

    def step(self, actions: Any) -> Any:
        angle = np.asarray(actions) * (np.pi / 4)
        self.agent += self.stride * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        self.agent = self.agent.clip(0, 1)
        self.time += 1
        success = np.linalg.norm(self.things[:, 0] - self.agent, axis=-1) < self.reach
        late = (self.time >= self.time_limit) & ~success
        infos: dict[str, Any] = {}
        ended = success | late
        observations = self._observe()
        if ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final[i] = observations[i].copy()
                self._restart(int(i))
            infos = {
                "final_obs": final,
                "_final_obs": ended,
                "final_info": {"success": success, "_success": ended},
                "_final_info": ended,
            }
            observations[ended] = self._observe()[ended]
        return observations, success.astype(float), success, late, infos


class Compass(Flicker):
    """Shows a direction beside its frames."""

    def __init__(self) -> None:
        super().__init__()
        directions = gym.spaces.Discrete(4)
        self.observation_space = gym.spaces.Dict(
            {"image": self.observation_space, "direction": directions}
        )

    def _observe(self) -> Any:
        return {"image": super()._observe(), "direction": int(self.np_random.integers(4))}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine are many times slower with several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def recurrent_encoder() -> type[RecurrentEncoder]:
    return RecurrentEncoder


@pytest.fixture
def flicker() -> type[Flicker]:
    return Flicker


@pytest.fixture
def compass() -> type[Compass]:
    return Compass


@pytest.fixture
def room() -> type[Room]:
    return Room
