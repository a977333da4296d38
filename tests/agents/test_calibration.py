from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper

from ocrl_agents.calibration import calibrate
from ocrl_agents.checkpoints import load_policy, save_agent
from ocrl_agents.extractors import TransformerExtractor
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv, environment_seeds

SMALL: dict[str, Any] = {"seed": 0, "n_steps": 16, "batch_size": 32}


class Offset(VecEnvWrapper):
    """Tokens that hardly change, far from zero."""

    def reset(self) -> Any:
        return self.venv.reset() * 1e-3 + 5

    def step_wait(self) -> Any:
        tokens, rewards, dones, infos = self.venv.step_wait()
        return tokens * 1e-3 + 5, rewards, dones, infos


def test_units_and_offset_of_tokens_do_not_matter(room: Any) -> None:
    plain = make_ppo(room(8), **SMALL)
    offset = make_ppo(Offset(GymnasiumVecEnv(room(8))), **SMALL)
    tokens = plain.env.reset()
    np.testing.assert_allclose(tokens * 1e-3 + 5, offset.env.reset(), atol=1e-6)
    features = plain.policy.features_extractor(torch.from_numpy(tokens))
    same = offset.policy.features_extractor(torch.from_numpy(tokens) * 1e-3 + 5)
    torch.testing.assert_close(features, same, atol=1e-2, rtol=0)
    assert features.std(0).mean() > 0.1

    uncalibrated = make_ppo(Offset(GymnasiumVecEnv(room(8))), **SMALL, calibration_steps=0)
    blind = uncalibrated.policy.features_extractor(torch.from_numpy(tokens) * 1e-3 + 5)
    assert blind.std(0).mean() < 0.01


def test_every_coordinate_is_standardised_and_constant_ones_are_silent() -> None:
    space = spaces.Dict({"tokens": spaces.Box(-9, 9, (3, 4)), "speed": spaces.Box(-9, 9, (2,))})
    extractor = TransformerExtractor(space)
    tokens = torch.randn(500, 3, 4) * torch.tensor([1.0, 10.0, 0.01, 0.0]) + 3
    speed = torch.randn(500, 2) * 7
    extractor.calibrate({"tokens": tokens, "speed": speed})
    standardised = extractor.standardisers[0](tokens).flatten(0, 1)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    expected = torch.tensor([1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(standardised.std(0), expected, atol=1e-3, rtol=0)
    # what was constant by chance keeps its unit, and does not drown the others when it changes
    changed = extractor.standardisers[0](tokens + torch.tensor([0.0, 0.0, 0.0, 2.0]))
    torch.testing.assert_close(changed[..., 3], torch.full((500, 3), 2.0))
    torch.testing.assert_close(
        extractor.standardisers[1](speed).std(0), torch.ones(2), atol=5e-3, rtol=0
    )


def test_measured_once_and_saved(room: Any, tmp_path: Path) -> None:
    model = make_ppo(VecPreviousStep(GymnasiumVecEnv(room(4))), **SMALL)
    before = [s.spread.clone() for s in model.policy.features_extractor.standardisers]
    model.learn(128)
    save_agent(tmp_path / "agent.safetensors", model)
    policy = load_policy(tmp_path / "agent.safetensors", model.env)
    for spread, standardiser in zip(before, policy.features_extractor.standardisers, strict=True):
        torch.testing.assert_close(standardiser.spread, spread, rtol=0, atol=0)
    assert not torch.equal(before[0], torch.ones(3))


def test_training_begins_with_the_episodes_of_its_seed(room: Any) -> None:
    calibrated, plain = room(4), room(4)
    a = make_ppo(calibrated, **SMALL).env.reset()
    b = make_ppo(plain, **SMALL, calibration_steps=0).env.reset()
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_episode_of_the_training_is_one_of_an_evaluation(room: Any, seed: int) -> None:
    """NumPy takes the seeds [1, 0] and 1 for the same."""
    model = make_ppo(room(4), **{**SMALL, "seed": seed})
    assert not {*model.env.unwrapped._seeds} & {*environment_seeds(seed, 64)}


def test_tokens_of_an_encoder_that_is_trained_along(flicker: Any, recurrent_encoder: Any) -> None:
    venv = VecFrameObservation(DummyVecEnv([flicker] * 4), recurrent_encoder())
    model = make_ppo(venv, **SMALL, calibration_steps=0)
    calibrate(model.policy, venv, num_steps=8)
    spread = model.policy.features_extractor.reader.standardisers[0].spread
    assert (spread > 0.01).all()
    assert not torch.equal(spread, torch.ones(4))
