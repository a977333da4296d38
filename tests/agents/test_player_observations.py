"""What an agent in a loop of one's own may be shown, and what is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.player import Agent, Shown
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import VecSlotObservation

FRAME = np.zeros((8, 8, 3), np.uint8)
DIRECTED = {"image": FRAME, "direction": 2}


@pytest.fixture
def make_agent(flicker: Any, compass: Any, recurrent_encoder: Any) -> Any:
    def make(has_direction: bool) -> Agent:
        world = compass if has_direction else flicker
        venv = VecSlotObservation(DummyVecEnv([world]), recurrent_encoder())
        policy = make_ppo(venv, seed=0, n_steps=8).policy
        shown = Shown(1, world().observation_space, world().action_space)
        return Agent(policy, shown, VecSlotObservation(shown, recurrent_encoder()), {})

    return make


@pytest.mark.parametrize(
    ("has_direction", "observation"),
    [
        (False, FRAME.astype(np.float32)),
        (False, FRAME[..., 0]),
        (False, FRAME.transpose(2, 0, 1)),
        (False, DIRECTED),
        (True, FRAME),
        (True, {"image": FRAME}),
        (True, {"image": FRAME, "direction": np.zeros(2, int)}),
    ],
)
def test_other_observations_than_those_of_the_training(
    has_direction: bool, observation: Any, make_agent: Any
) -> None:
    with pytest.raises(UsageError, match=r"the agent reads .*, and is shown") as caught:
        make_agent(has_direction).predict(observation)
    assert "\n" not in str(caught.value)


def test_frames_of_any_size_and_whatever_else_is_shown(make_agent: Any) -> None:
    assert make_agent(False).predict(np.zeros((20, 30, 3), np.uint8)) in (0, 1)
    agent, same = make_agent(True), make_agent(True)
    more = {**DIRECTED, "mission": "find the key"}
    actions = [
        each.predict(seen, deterministic=True) for each, seen in ((agent, DIRECTED), (same, more))
    ]
    assert actions[0] == actions[1]
