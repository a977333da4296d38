"""Memory: against a step-by-step reference, from rollout to update, in play and on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import load_policy, save_agent
from ocrl_agents.evaluation import actor_of, evaluate, mean_scores
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.memory import Memory, MemoryPolicy
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation

SMALL: dict[str, Any] = {"seed": 0, "n_steps": 16, "batch_size": 32, "lstm_dim": 8}


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


def flickering(flicker: Any, encoder: Any) -> VecSlotObservation:
    """Episodes of 1 to 5 steps, out of phase, that end or are cut off."""
    frames = DummyVecEnv([lambda i=i: flicker(i) for i in range(4)])
    frames.seed(5)
    return VecSlotObservation(frames, encoder)


def step_by_step(memory: Memory, features: Tensor, state: Tensor, starts: Tensor) -> Any:
    """One cell, one step at a time, each row on its own."""
    cell = nn.LSTMCell(features.shape[-1], memory.dim)
    own = dict(memory.lstm.named_parameters())
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(cell, name, own[f"{name}_l0"])
    rows, states = [], []
    for row in range(len(features)):
        h, c = state[row : row + 1].chunk(2, dim=1)
        outputs = []
        for t in range(features.shape[1]):
            if starts[row, t]:
                h, c = torch.zeros_like(h), torch.zeros_like(c)
            h, c = cell(features[row, t : t + 1], (h, c))
            outputs.append(h)
        rows.append(torch.cat(outputs))
        states.append(torch.cat([h, c], dim=1))
    return torch.stack(rows), torch.cat(states)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.6, 1.0])
def test_segments_equal_a_step_by_step_reference_with_gradients(rate: float) -> None:
    torch.manual_seed(0)
    memory = Memory(3, 5)
    starts = torch.rand(4, 9) < rate
    inputs = [torch.randn(4, 9, 3, requires_grad=True), torch.randn(4, 10, requires_grad=True)]
    weights = torch.randn(4, 9, 5), torch.randn(4, 10)
    found = []
    for function in (memory, lambda *a: step_by_step(memory, *a)):
        recalled, state = function(*inputs, starts)
        loss = (recalled * weights[0]).sum() + (state * weights[1]).sum()
        gradients = torch.autograd.grad(
            loss, [*inputs, *memory.parameters()], materialize_grads=True
        )
        found.append([recalled, state, *gradients])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_an_update_sees_what_the_rollout_saw(flicker: Any, recurrent_encoder: Any) -> None:
    """In the second rollout too, whose memory comes from the first; episodes begin in both."""
    model = make_ppo(flickering(flicker, recurrent_encoder()), **SMALL)
    model.set_logger(Logger(folder=None, output_formats=[]))
    _, callback = model._setup_learn(10_000)
    with torch.no_grad():  # a policy far from uniform, whose memory matters
        model.policy.action_net.weight.mul_(300)
    for _ in range(2):
        model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
        for batch in model.rollout_buffer.minibatches(32, whole_segments=True):
            losses = model.losses(batch)
            assert float(losses.kl.abs()) < 1e-6
            assert float(losses.clip_fraction) == 0
            forgotten = model.losses(batch._replace(starts=torch.ones_like(batch.starts)))
            assert float(forgotten.kl) > 1e-4
    assert model.rollout_buffer.memory.abs().max() > 0.01
    assert model.rollout_buffer.starts.float().mean() > 0.2


def test_what_follows_a_cut_is_expected_with_the_memory_of_its_episode(
    flicker: Any, recurrent_encoder: Any
) -> None:
    model = make_ppo(flickering(flicker, recurrent_encoder()), **SMALL, scale_rewards=False)
    seen: list[Any] = []
    expect = model.policy.expect
    model.policy.expect = lambda *a: seen.append(a) or expect(*a)
    _, callback = model._setup_learn(10_000)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
    *cut, _last = seen
    assert len(cut) > 3
    rest = model.rollout_buffer.rewards - model.rollout_buffer.actions  # the reward of the world
    values = torch.cat([expect(*arguments) for arguments in cut])
    torch.testing.assert_close(
        rest[rest != 0].sort().values, (0.99 * values).sort().values, atol=1e-5, rtol=1e-5
    )
    for _, memory, starts in cut:
        assert memory.abs().sum(1).min() > 0
        assert not starts.any()


def test_played_alone_as_in_a_batch_and_not_without_memory(room: Any) -> None:
    policy = make_ppo(room(4), **SMALL).policy
    generator = np.random.default_rng(0)
    observations = generator.normal(size=(6, 3, 4, 3)).astype(np.float32)
    starts = np.array([[1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]], bool)
    act = actor_of(policy, 3, deterministic=True)
    with torch.no_grad():
        policy.action_net.weight.mul_(1000)
    batched = np.stack([act(*step) for step in zip(observations, starts, strict=True)])
    for row in range(3):
        state = None
        for t in range(6):
            action, state = policy.predict(
                observations[t, row], state, starts[t, row : row + 1], deterministic=True
            )
            assert action == batched[t, row]
    assert len(np.unique(batched)) > 1
    for state, start in ((None, None), (None, starts[2])):
        with pytest.raises(UsageError, match="has a memory") as error:
            policy.predict(observations[2], state, start)
        assert "\n" not in str(error.value)


def test_minibatches_hold_whole_segments(room: Any) -> None:
    with pytest.raises(UsageError, match="take batch_size=32"):
        make_ppo(room(4), seed=0, n_steps=32, batch_size=16, lstm_dim=8)


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
    assert isinstance(model.policy, MemoryPolicy)
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


class Mean(Memory):
    """Recalls a running mean of projected features, of this episode alone."""

    num_states = 1

    def __init__(self, in_dim: int, dim: int) -> None:
        torch.nn.Module.__init__(self)
        self.dim, self.project = dim, torch.nn.Linear(in_dim, dim)

    def forward(self, features: Tensor, state: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        recalled = []
        for now, start in zip(self.project(features).unbind(1), starts.unbind(1), strict=True):
            state = 0.5 * (state.masked_fill(start[:, None], 0) + now)
            recalled.append(state)
        return torch.stack(recalled, dim=1), state


def test_a_memory_of_ones_own_learns_and_is_loaded_once_it_is_trusted(
    room: Any, tmp_path: Path
) -> None:
    small: dict[str, Any] = {**SMALL, "calibration_steps": 4}
    model = make_ppo(room(4), **small, memory=Mean)
    before = model.policy.memory.project.weight.detach().clone()
    train(model, 128, tmp_path, progress=False)
    assert not torch.equal(before, model.policy.memory.project.weight)
    assert model.policy.initial_memory(3).shape == (3, 8)
    path = tmp_path / "last.safetensors"
    with pytest.raises(UsageError, match="trusted="):
        load_policy(path, model.env)
    policy = load_policy(path, model.env, trusted=("ocrl_agents.", f"{__name__}."))
    assert isinstance(policy.memory, Mean)
    assert torch.equal(policy.memory.project.weight, model.policy.memory.project.weight)
