"""The encoder inside the policy sees what the wrapper saw, learns, and is not initialised anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import load_policy, save_agent
from ocrl_agents.evaluation import evaluate
from ocrl_agents.extractors import MLPExtractor, TransformerExtractor
from ocrl_agents.finetuning import EncoderExtractor, VecFrameObservation
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import VecSlotObservation, set_seeds

SMALL: dict[str, Any] = {"seed": 0, "n_steps": 16, "batch_size": 32}


def frames(flicker: Any, encoder: Any, num_envs: int = 4) -> VecFrameObservation:
    venv = DummyVecEnv([lambda i=i: flicker(i) for i in range(num_envs)])
    return VecFrameObservation(venv, encoder)


def test_encoding_in_the_policy_gives_the_tokens_of_the_wrapper(
    flicker: Any, recurrent_encoder: Any
) -> None:
    """At first frames, within episodes and at their ends."""
    encoder = recurrent_encoder()
    venv = frames(flicker, encoder, 3)
    wrapped = VecSlotObservation(
        DummyVecEnv([lambda i=i: flicker(i) for i in range(3)]), recurrent_encoder()
    )
    extractor = EncoderExtractor(venv.observation_space, encoder, MLPExtractor, {})
    seen: list[Any] = []
    extractor.reader.forward = lambda observations: seen.append(observations["tokens"].detach())

    def encode(observations: dict[str, Any]) -> Any:
        extractor({key: torch.from_numpy(value).float() for key, value in observations.items()})
        return seen.pop().numpy()

    set_seeds(venv, [1, 2, 3])
    set_seeds(wrapped, [1, 2, 3])
    observations = venv.reset()
    assert observations in venv.observation_space or observations["frame"].shape == (3, 1, 8, 8, 3)
    np.testing.assert_allclose(encode(observations), wrapped.reset(), atol=1e-5)
    for _ in range(12):
        observations, _, dones, infos = venv.step(np.zeros(3, int))
        tokens, _, _, expected = wrapped.step(np.zeros(3, int))
        np.testing.assert_allclose(encode(observations), tokens, atol=1e-5)
        for i in np.flatnonzero(dones):
            final = {key: value[None] for key, value in infos[i]["terminal_observation"].items()}
            assert infos[i]["terminal_observation"] in venv.observation_space
            np.testing.assert_allclose(
                encode(final)[0], expected[i]["terminal_observation"], atol=1e-5
            )


def test_weights_are_kept_at_first_and_trained_then(flicker: Any, recurrent_encoder: Any) -> None:
    encoder = recurrent_encoder().requires_grad_(False)
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    model = make_ppo(frames(flicker, encoder), **SMALL)
    for name, value in encoder.named_parameters():
        torch.testing.assert_close(value.detach(), before[name], rtol=0, atol=0)
    model.learn(128)
    for name, value in encoder.named_parameters():
        assert not torch.equal(value, before[name])
    assert not encoder.training


def test_ratio_is_one_on_the_first_minibatch(flicker: Any, recurrent_encoder: Any) -> None:
    model = make_ppo(frames(flicker, recurrent_encoder()), **SMALL)
    _, callback = model._setup_learn(64)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, n_rollout_steps=16)
    for batch in model.rollout_buffer.minibatches(32, whole_segments=False):
        _, log_prob, _ = model.policy.evaluate_actions(batch.observations, batch.actions)
        torch.testing.assert_close(log_prob, batch.log_probs, atol=1e-5, rtol=1e-5)


def test_saved_with_its_encoder(flicker: Any, recurrent_encoder: Any, tmp_path: Path) -> None:
    original = tmp_path / "encoder.safetensors"
    original.write_bytes(b"the encoder before training")
    model = make_ppo(
        frames(flicker, recurrent_encoder()), **SMALL, extractor_kwargs={"depth": 1, "dim": 32}
    )
    model.learn(128)
    path = tmp_path / "agent.safetensors"
    save_agent(path, model, encoder=original)
    fresh = frames(flicker, recurrent_encoder(seed=1), 2)
    policy = load_policy(path, fresh, encoder=original)
    torch.testing.assert_close(fresh.encoder.mix, model.policy.features_extractor.encoder.mix)
    trained = frames(flicker, model.policy.features_extractor.encoder, 2)
    assert evaluate(policy, fresh, range(6)) == evaluate(model.policy, trained, range(6))
    tokens = VecSlotObservation(DummyVecEnv([flicker]), recurrent_encoder())
    with pytest.raises(UsageError, match="was trained for observations"):
        load_policy(path, tokens, encoder=original)


def test_extractor_follows_what_environments_show(flicker: Any, recurrent_encoder: Any) -> None:
    model = make_ppo(frames(flicker, recurrent_encoder()), **SMALL)
    assert isinstance(model.policy.features_extractor, EncoderExtractor)
    tokens = VecSlotObservation(DummyVecEnv([flicker] * 4), recurrent_encoder())
    model = make_ppo(tokens, **SMALL)
    assert isinstance(model.policy.features_extractor, TransformerExtractor)
