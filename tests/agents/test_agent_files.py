"""Files of agents: they play as before, fit what they were made for, and name no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import load_policy, read_agent, restore, save_agent
from ocrl_agents.evaluation import evaluate
from ocrl_agents.extractors import TransformerExtractor
from ocrl_agents.hub import agent_card
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv

SMALL = {"seed": 0, "n_steps": 32, "batch_size": 64}


def test_saved_agent_plays_as_before(room: Any, tmp_path: Path) -> None:
    model = make_ppo(room(4), **SMALL, extractor_kwargs={"dim": 32, "depth": 1})
    model.learn(256)
    path = tmp_path / "agent.safetensors"
    save_agent(path, model)
    policy = load_policy(path, GymnasiumVecEnv(room(8)))
    assert evaluate(policy, room(8), range(16)) == evaluate(model.policy, room(8), range(16))
    assert not list(tmp_path.glob("*.tmp"))
    assert not policy.training


def test_agent_refuses_another_encoder_and_other_spaces(room: Any, tmp_path: Path) -> None:
    encoder, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    encoder.write_bytes(b"one")
    other.write_bytes(b"two")
    path = tmp_path / "agent.safetensors"
    model = make_ppo(room(4), **SMALL)
    save_agent(path, model, encoder=encoder)
    venv = GymnasiumVecEnv(room(2))
    assert read_agent(path).encoder == encoder
    load_policy(path, venv, encoder=encoder)
    with pytest.raises(UsageError, match="another encoder"):
        load_policy(path, venv, encoder=other)
    with pytest.raises(UsageError, match="none is given"):
        load_policy(path, venv)
    with pytest.raises(UsageError, match="another encoder"):
        restore(path, model, encoder=other)
    # a path moves, its content counts
    moved = encoder.rename(tmp_path / "moved.safetensors")
    load_policy(path, venv, encoder=moved)

    save_agent(path, model)
    with pytest.raises(UsageError, match="without an encoder"):
        load_policy(path, venv, encoder=other)
    venv.observation_space = gym.spaces.Box(-2, 2, (5, 3), np.float32)
    with pytest.raises(UsageError, match=r"\(4, 3\).*\(5, 3\)"):
        load_policy(path, venv)
    with pytest.raises(UsageError, match="does not fit the policy"):
        restore(path, make_ppo(room(4), **SMALL, head_dims=[32]))


def test_files_that_are_no_agents_are_refused(room: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_agent(tmp_path / "missing.safetensors")
    path = tmp_path / "agent.safetensors"
    save_agent(path, make_ppo(room(4), **SMALL))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="whole file"):
        read_agent(path)


class OwnExtractor(TransformerExtractor):
    """One of another package."""


def test_a_file_names_no_code_but_extractors(room: Any, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, make_ppo(room(4), **SMALL))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]  # who changes a file on purpose leaves no trace

    def rename(key: str, name: Any) -> None:
        header = json.loads(metadata["header"])
        header["policy"][key] = name
        save_file(load_file(path), path, {**metadata, "header": json.dumps(header)})

    assert json.loads(metadata["header"])["policy"]["extractor"] == "TransformerExtractor"
    names = ("os.system", "ocrl_agents.building.sha256", "ocrl_agents.extractors.Block", "Block", 3)
    for name in names:
        rename("extractor", name)
        with pytest.raises(UsageError, match="no BaseFeaturesExtractor") as error:
            load_policy(path, GymnasiumVecEnv(room(2)))
        assert "\n" not in str(error.value)
    rename("extractor", "ocrl_agents.extractors.TransformerExtractor")
    load_policy(path, GymnasiumVecEnv(room(2)))
    rename("name", "ActorCriticPolicy")
    with pytest.raises(UsageError, match="no policy 'ActorCriticPolicy'"):
        load_policy(path, GymnasiumVecEnv(room(2)))


def test_own_extractors_are_loaded_once_trusted(room: Any, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, make_ppo(room(4), **SMALL, extractor=OwnExtractor))
    with pytest.raises(UsageError, match="trusted="):
        load_policy(path, GymnasiumVecEnv(room(2)))
    policy = load_policy(path, GymnasiumVecEnv(room(2)), trusted=(f"{__name__}.",))
    assert type(policy.features_extractor) is OwnExtractor


def test_files_of_earlier_versions_are_refused_in_a_line(room: Any, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, make_ppo(room(4), **SMALL))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]  # who changes a file on purpose leaves no trace
    save_file(load_file(path), path, {**metadata, "version": "1"})
    with pytest.raises(UsageError, match="format 1, this version reads format 2 and 3") as error:
        read_agent(path)
    assert "\n" not in str(error.value)
    save_file(load_file(path), path, {"format": "pt"})
    with pytest.raises(UsageError, match="is no agent"):
        read_agent(path)


@pytest.mark.parametrize(
    ("env", "where"),
    [("CartPole-v1", "`CartPole-v1`"), ({"id": "Pong"}, "`Pong`"), (None, "an environment")],
)
def test_a_card_takes_whatever_notes_there_are(
    env: Any, where: str, room: Any, tmp_path: Path
) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, make_ppo(room(4), **SMALL), notes={"env": env})
    assert f"steps in {where}" in agent_card(path, "me/agent")
