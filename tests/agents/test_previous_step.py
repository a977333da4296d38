from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation


def test_previous_action_and_reward_within_episodes_only(
    flicker: Any, recurrent_encoder: Any
) -> None:
    tokens = VecSlotObservation(
        DummyVecEnv([lambda i=i: flicker(i) for i in range(3)]), recurrent_encoder()
    )
    venv = VecPreviousStep(tokens)
    observations = venv.reset()
    assert not observations["previous_action"].any()
    generator = np.random.default_rng(0)
    num_ends = 0
    for _ in range(12):
        actions = generator.integers(2, size=3)
        observations, rewards, dones, infos = venv.step(actions)
        for i in range(3):
            own = {key: value[i] for key, value in observations.items()}
            assert own in venv.observation_space
            if dones[i]:
                num_ends += 1
                assert not own["previous_action"].any()
                assert own["previous_reward"] == 0
                own = infos[i]["terminal_observation"]
                assert own in venv.observation_space
            assert own["previous_action"].argmax() == actions[i]
            assert own["previous_reward"] == rewards[i]
    assert num_ends > 6


def test_policy_reads_them(room: Any) -> None:
    model = make_ppo(VecPreviousStep(GymnasiumVecEnv(room(4))), seed=0, n_steps=16, batch_size=32)
    assert len(model.policy.features_extractor.embeddings) == 3
    model.learn(128)


def test_continuous_actions_are_refused(room: Any) -> None:
    venv = GymnasiumVecEnv(room(2))
    venv.action_space = spaces.Box(-1, 1, (2,))
    with pytest.raises(UsageError, match="one-hot"):
        VecPreviousStep(venv)
