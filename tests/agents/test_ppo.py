"""The loop against stable-baselines3's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from ocrl.errors import UsageError
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.ppo import TokenPPO
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation

SETTINGS: dict[str, Any] = {
    "seed": 3,
    "n_steps": 12,
    "batch_size": 16,
    "n_epochs": 3,
    "learning_rate": 1e-3,
    "ent_coef": 0.01,
    "device": "cpu",
}


def learn(algorithm: Any, venv: Any, updates: int = 3, **settings: Any) -> Any:
    model = algorithm(SlotPolicy, VecMonitor(venv), **{**SETTINGS, **settings})
    model.set_logger(Logger(folder=None, output_formats=[]))
    model.learn(updates * SETTINGS["n_steps"] * venv.num_envs)
    return model


def assert_same(model: Any, reference: Any) -> None:
    """Weights, and what was collected last. Ours is (N, T), theirs (N T, 1) after an update."""
    theirs = reference.rollout_buffer
    for name in ("rewards", "values", "log_probs", "advantages", "returns"):
        expected = torch.from_numpy(getattr(theirs, name)).reshape(4, 12)
        if name == "rewards":  # not put in order by an update
            expected = torch.from_numpy(theirs.rewards).reshape(12, 4).T
        torch.testing.assert_close(
            getattr(model.rollout_buffer, name), expected, atol=1e-5, rtol=1e-5
        )
    for own, other in zip(model.policy.parameters(), reference.policy.parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-5)
    assert model.num_timesteps == reference.num_timesteps
    assert model._n_updates == reference._n_updates
    assert [e["r"] for e in model.ep_info_buffer] == [e["r"] for e in reference.ep_info_buffer]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"clip_range_vf": 0.05, "clip_range": 0.1},
        {"normalize_advantage": False, "gamma": 0.9, "gae_lambda": 0.7},
        {"target_kl": 1e-4},
        {"batch_size": 48, "max_grad_norm": 0.01},
    ],
)
def test_learns_what_stable_baselines3_learns(settings: dict[str, Any], room: Any) -> None:
    """Episodes that end, episodes that are cut off, minibatches of the same order."""
    pair = (learn(kind, GymnasiumVecEnv(room(4)), **settings) for kind in (TokenPPO, PPO))
    assert_same(*pair)


def test_same_with_further_entries_and_an_encoder(flicker: Any, recurrent_encoder: Any) -> None:
    def venv() -> VecPreviousStep:
        frames = DummyVecEnv([lambda i=i: flicker(i) for i in range(4)])
        frames.seed(5)
        return VecPreviousStep(VecSlotObservation(frames, recurrent_encoder()))

    assert_same(learn(TokenPPO, venv()), learn(PPO, venv()))


def test_same_with_an_entry_of_a_few_kinds(flicker: Any, recurrent_encoder: Any) -> None:
    class Facing(flicker):
        """Shows its direction beside the frame, as MiniGrid does."""

        def __init__(self, index: int) -> None:
            super().__init__(index)
            kinds = {"image": self.observation_space, "direction": spaces.Discrete(4)}
            self.observation_space = spaces.Dict(kinds)

        def _observe(self) -> Any:
            return {"image": super()._observe(), "direction": int(self.np_random.integers(4))}

    def venv() -> VecSlotObservation:
        frames = DummyVecEnv([lambda i=i: Facing(i) for i in range(4)])
        frames.seed(5)
        return VecSlotObservation(frames, recurrent_encoder())

    assert_same(learn(TokenPPO, venv()), learn(PPO, venv()))
    make_ppo(venv(), seed=0, n_steps=8, calibration_steps=4).learn(32)


def test_what_it_cannot_do_is_refused(room: Any) -> None:
    for settings in (
        {"use_sde": True},
        {"policy_kwargs": {"share_features_extractor": False}},
        {"policy": "MlpPolicy"},
    ):
        policy: Any = settings.pop("policy", SlotPolicy)
        with pytest.raises(UsageError, match="TokenPPO") as error:
            TokenPPO(policy, GymnasiumVecEnv(room(4)), **settings)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "actions", [spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([3, 2]), spaces.MultiBinary(2)]
)
def test_same_with_other_actions(actions: Any, room: Any) -> None:
    class Moved(room):
        def __init__(self, num_envs: int) -> None:
            super().__init__(num_envs)
            self.single_action_space = actions

        def step(self, chosen: Any) -> Any:
            assert all(row in actions for row in chosen)
            return super().step(np.abs(np.asarray(chosen)[:, 0] * 7).round())

    assert_same(*(learn(kind, GymnasiumVecEnv(Moved(4))) for kind in (TokenPPO, PPO)))


def test_reports_what_stable_baselines3_reports(room: Any) -> None:
    def names(kind: Any) -> set[str]:
        model = kind(SlotPolicy, VecMonitor(GymnasiumVecEnv(room(4))), **SETTINGS)
        logger = Logger(folder=None, output_formats=[])
        seen: set[str] = set()
        logger.dump = lambda step=0: (
            seen.update(logger.name_to_value),
            logger.name_to_value.clear(),
        )
        model.set_logger(logger)
        model.learn(3 * 48)
        return seen

    assert names(TokenPPO) == names(PPO)


def test_a_callback_ends_it_and_the_model_is_saved_as_any_other(room: Any, tmp_path: Any) -> None:
    venv = GymnasiumVecEnv(room(4))
    model = TokenPPO(SlotPolicy, venv, **SETTINGS)
    model.learn(480, callback=lambda scope, _: scope["self"].num_timesteps < 60)
    assert model.num_timesteps == 60
    model.save(tmp_path / "model.zip")
    loaded = TokenPPO.load(tmp_path / "model.zip", env=venv)
    for own, other in zip(model.policy.parameters(), loaded.policy.parameters(), strict=True):
        assert torch.equal(own, other)
    loaded.learn(48)


def test_two_runs_of_a_seed_are_the_same(room: Any) -> None:
    first, second = (learn(TokenPPO, GymnasiumVecEnv(room(4))) for _ in range(2))
    for own, other in zip(first.policy.parameters(), second.policy.parameters(), strict=True):
        assert torch.equal(own, other)
