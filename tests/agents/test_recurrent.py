from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl_agents.checkpoints import load_policy, save_agent
from ocrl_agents.evaluation import evaluate, mean_scores
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.recurrent import RecurrentPPO
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv


class Recall(gym.Env[Any, Any]):
    """Which of two cues was shown at the first step is asked for at the third."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1, 1, (1, 2), np.float32)
        self.action_space = gym.spaces.Discrete(2)

    def _observe(self) -> Any:
        shown = 2 * self.cue - 1 if self.time == 0 else 0
        return np.array([[shown, self.time == 2]], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.cue, self.time = int(self.np_random.integers(2)), 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        right = self.time == 2 and action == self.cue
        self.time += 1
        return self._observe(), float(right), self.time == 3, False, {"success": right}


def test_memory_solves_what_needs_memory() -> None:
    success = {}
    for lstm_dim in (0, 16):
        model = make_ppo(
            DummyVecEnv([Recall] * 16),
            seed=0,
            n_steps=24,
            batch_size=96,
            learning_rate=3e-3,
            anneal_learning_rate=False,
            extractor_kwargs={"dim": 16, "depth": 1, "ff_dim": 16},
            lstm_dim=lstm_dim,
        )
        model.learn(8 * 384)
        episodes = evaluate(model.policy, DummyVecEnv([Recall] * 16), range(96), deterministic=True)
        success[lstm_dim] = mean_scores(episodes)["success"]
    assert success[0] < 0.7
    assert success[16] > 0.95


def test_saved_and_resumed(room: Any, tmp_path: Path) -> None:
    small: dict[str, Any] = {"seed": 0, "n_steps": 16, "batch_size": 32, "lstm_dim": 16}
    model = make_ppo(room(4), **small)
    assert isinstance(model, RecurrentPPO)
    train(model, 128, tmp_path / "run", progress=False)
    resumed = make_ppo(room(4), **small)
    train(resumed, 192, tmp_path / "run", progress=False, resume=True)
    assert resumed.num_timesteps == 192

    save_agent(tmp_path / "agent.safetensors", resumed)
    policy = load_policy(tmp_path / "agent.safetensors", GymnasiumVecEnv(room(4)))
    assert evaluate(policy, room(4), range(8)) == evaluate(resumed.policy, room(4), range(8))


def test_pretrained_weights_are_not_initialised_anew(flicker: Any, recurrent_encoder: Any) -> None:
    encoder = recurrent_encoder()
    before = encoder.mix.detach().clone()
    venv = VecFrameObservation(DummyVecEnv([flicker] * 2), encoder)
    model = make_ppo(venv, seed=0, n_steps=16, batch_size=32, lstm_dim=8)
    assert torch.equal(encoder.mix, before)
    model.learn(64)
    assert not torch.equal(encoder.mix, before)
