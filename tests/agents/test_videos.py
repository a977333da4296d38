from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.encoder import EncoderOutput
from ocrl.errors import UsageError
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.ground_truth import GroundTruthObservation
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_agents.videos import film, light_up
from ocrl_envs.maze.vector import MazeVectorEnv

SMALL: dict[str, Any] = {"seed": 0, "n_steps": 16, "batch_size": 32}


@pytest.fixture
def masked_encoder(recurrent_encoder: Any) -> Any:
    """Each token is a third of the image."""

    class Masked(recurrent_encoder):
        def step(self, frames: Any, state: Any, is_first: Any) -> EncoderOutput:
            output = super().step(frames, state, is_first)
            masks = torch.eye(3)[None, :, None].expand(len(frames), -1, -1, -1)
            return EncoderOutput(output.tokens, masks, output.state)

    return Masked()


@pytest.mark.parametrize("wrapper", [VecSlotObservation, VecFrameObservation])
def test_film_of_an_episode(
    wrapper: Any, flicker: Any, masked_encoder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = wrapper(DummyVecEnv([lambda i=i: flicker(i) for i in range(2)]), masked_encoder)
    model = make_ppo(venv, **SMALL)
    # the first episode has three steps, and so three frames before its end
    frames = film(model.policy, venv, seed=5, height=32)
    assert frames.shape == (3, 32, 3 * 32 + 2 * 2, 3)
    assert len(film(model.policy, venv, seed=5, num_steps=2)) == 2
    env = flicker(0)
    first, _ = env.reset(seed=5)
    np.testing.assert_array_equal(frames[0, ::4, :32:4], first)
    assert capsys.readouterr().err == ""
    again = film(model.policy, venv, seed=5, height=32, progress=True)
    np.testing.assert_array_equal(frames, again)
    assert "/900" in capsys.readouterr().err


@pytest.mark.parametrize("wrapper", [VecSlotObservation, VecFrameObservation])
def test_a_direction_beside_the_frame_is_read_as_in_play(
    wrapper: Any, compass: Any, masked_encoder: Any
) -> None:
    venv = wrapper(DummyVecEnv([compass] * 2), masked_encoder)
    assert len(film(make_ppo(venv, **SMALL).policy, venv, seed=5, height=32)) == 3


def test_encoders_without_masks_show_frames_alone(flicker: Any, recurrent_encoder: Any) -> None:
    venv = VecSlotObservation(DummyVecEnv([flicker] * 2), recurrent_encoder())
    assert film(make_ppo(venv, **SMALL).policy, venv, seed=0, height=32).shape == (3, 32, 32, 3)


def test_an_agent_without_an_encoder_is_seen_as_its_world_renders_it() -> None:
    options = {"level": "seekavoid_arena_1", "action_repeat": 60, "num_layouts": 1}
    mazes = MazeVectorEnv(2, "DISABLED", render_mode="rgb_array", **options)
    truth = GroundTruthObservation(mazes, lambda envs: envs.unwrapped.describe())
    venv = GymnasiumVecEnv(truth)
    frames = film(make_ppo(venv, **SMALL).policy, venv, seed=0)
    venv.reset()
    view = venv.get_images()[0]
    assert frames.shape == (5, frames.shape[1], view.shape[1], 3)
    assert (frames[0] != frames[-1]).any()


def test_light_falls_where_the_policy_looks() -> None:
    frames = np.full((2, 6, 6, 3), 200, np.uint8)
    masks = torch.eye(3)[None, :, None].expand(2, -1, -1, -1)
    lit = light_up(frames, masks, torch.tensor([[0.1, 0.5, 0.0], [0.0, 0.0, 0.9]]))
    assert lit[0, 0, ::2, 0].tolist() == [80, 200, 50]
    assert lit[1, 0, ::2, 0].tolist() == [50, 50, 200]


def test_a_mask_of_the_background_is_no_token() -> None:
    """Of AIR and its kind: there is a mask more than there are tokens."""
    masks = torch.eye(3)[None, :, None]
    lit = light_up(np.full((1, 3, 3, 3), 200, np.uint8), masks, torch.tensor([[0.0, 0.9]]))
    assert lit[0, 0, :, 0].tolist() == [50, 200, 50]


def test_environments_without_an_encoder_are_refused(room: Any) -> None:
    model = make_ppo(room(4), **SMALL)
    with pytest.raises(UsageError, match="VecSlotObservation"):
        film(model.policy, model.env, seed=0)
