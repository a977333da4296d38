"""TokenPPO takes what stable-baselines3's PPO takes, or says that it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import load_policy, save_agent
from ocrl_agents.memory import MemoryPolicy
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.ppo import TokenPPO


class Picky(gym.Env[Any, Any]):
    """Random tokens; takes actions of its space alone."""

    def __init__(self, actions: spaces.Space[Any]) -> None:
        self.observation_space = spaces.Box(-1, 1, (3, 4), np.float32)
        self.observation_space.seed(0)
        self.action_space = actions
        self.time = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(np.asarray(action)), action
        self.time += 1
        return self.observation_space.sample(), 1.0, False, self.time == 5, {}


def make(
    actions: spaces.Space[Any], policy: type[SlotPolicy] = SlotPolicy, **kwargs: Any
) -> TokenPPO:
    settings = {"n_steps": 8, "batch_size": 8, "seed": 0, "device": "cpu"}
    return TokenPPO(policy, DummyVecEnv([lambda: Picky(actions)] * 2), **{**settings, **kwargs})


@pytest.mark.parametrize("policy", [SlotPolicy, MemoryPolicy])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_continuous_actions_have_the_shape_of_their_space(
    shape: tuple[int, ...], policy: type[SlotPolicy]
) -> None:
    make(spaces.Box(-1, 1, shape, np.float32), policy).learn(16)


@pytest.mark.parametrize(
    "actions", [spaces.Discrete(3, start=1), spaces.MultiDiscrete([2, 2], start=[0, 1])]
)
def test_actions_that_begin_elsewhere_are_refused(actions: Any) -> None:
    """They would be numbered from 0, and the last one never taken."""
    with pytest.raises(UsageError, match="begin at 0"):
        make(actions)


def test_a_memory_learns_from_whole_segments() -> None:
    """PPO's own default is 64 of 2048 steps, which was found out after a rollout."""
    with pytest.raises(UsageError, match="take batch_size=2048"):
        make(spaces.Discrete(2), MemoryPolicy, n_steps=2048, batch_size=64)


def test_heads_without_hidden_layers() -> None:
    model = make(spaces.Discrete(2), policy_kwargs={"net_arch": []})
    assert not list(model.policy.mlp_extractor.parameters())


def test_a_file_keeps_the_activation(tmp_path: Path) -> None:
    model = make(spaces.Discrete(2), policy_kwargs={"activation_fn": nn.ReLU})
    save_agent(tmp_path / "agent.safetensors", model)
    assert model.env is not None
    policy = load_policy(tmp_path / "agent.safetensors", model.env)
    tokens = torch.randn(4, 3, 4)
    torch.testing.assert_close(policy.predict_values(tokens), model.policy.predict_values(tokens))


class Square(nn.Module):
    """An activation of one's own."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.square()


def test_an_activation_of_ones_own_is_trusted_first(tmp_path: Path) -> None:
    model = make(spaces.Discrete(2), policy_kwargs={"activation_fn": Square})
    save_agent(tmp_path / "agent.safetensors", model)
    assert model.env is not None
    with pytest.raises(UsageError, match="Square"):
        load_policy(tmp_path / "agent.safetensors", model.env)
    trusted = ("ocrl_agents.", f"{__name__}.")
    policy = load_policy(tmp_path / "agent.safetensors", model.env, trusted=trusted)
    assert policy.activation_fn is Square
