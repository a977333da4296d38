"""Notes of an agent's file that ask for code, for names outside of a folder, or for a long hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forged
import gymnasium as gym
import numpy as np
import pytest
from torch import Tensor

from ocrl import UsageError
from ocrl_agents.checkpoints import read_agent, save_agent
from ocrl_agents.training import make_ppo
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.habits import Habits
from ocrl_studies.stages.evaluation import load_agent
from ocrl_studies.stages.record_video import encoder_of

NOTES: dict[str, Any] = {
    "encoder": {"name": "ground_truth", "finetune": False},
    "agent": {"precision": "float32", "previous_step": False},
    "env": {"action_repeat": 4},
}


class Tokens(gym.Env[Any, Any]):
    """Shows tokens that say nothing."""

    observation_space = gym.spaces.Box(-1, 1, (3, 4), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: Any) -> Any:
        return np.zeros((3, 4), np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros((3, 4), np.float32), 0.0, False, False, {}


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    envs = gym.vector.SyncVectorEnv(
        [Tokens, Tokens], autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
    path = tmp_path / "runs/agent/last.safetensors"
    save_agent(path, make_ppo(envs, seed=0, n_steps=2, batch_size=4), notes=NOTES)
    return path


def change_notes(path: Path, **changes: Any) -> Path:
    def change(texts: dict[str, str], _: dict[str, Tensor]) -> None:
        header = json.loads(texts["header"])
        for part, values in changes.items():
            if isinstance(values, dict):
                header["notes"][part] = {**header["notes"].get(part, {}), **values}
            else:
                header["notes"][part] = values
        texts["header"] = json.dumps(header)

    return forged.forge(path, change)


@pytest.mark.parametrize("part", ["encoder", "agent", "env"])
@pytest.mark.parametrize("key", ["describe", "model", "wrapper"])
def test_nothing_of_them_is_instantiated(agent: Path, tmp_path: Path, part: str, key: str) -> None:
    victim = tmp_path / "ran"
    node = {"_target_": "pathlib.Path.touch", "self": {"_target_": "pathlib.Path", "_args_": []}}
    touch = {"_target_": "os.system", "command": f"touch {victim}"}
    change_notes(agent, **{part: {key: touch, "other": node, "_target_": "os.system"}})
    env = EnvSettings("ocrl/NavMaze1-v0", action_repeat=4)
    with pytest.raises(UsageError):
        load_agent(agent, env, {}, 1, "cpu")
    assert Habits.of_agent(read_agent(agent), "it").encoder == "ground_truth"
    assert not victim.exists()


@pytest.mark.parametrize("name", ["x/../../../../outside", "..", "/tmp/outside", "", 3, "a\0b"])
def test_a_name_leads_out_of_no_folder(agent: Path, name: Any) -> None:
    change_notes(agent, encoder={"name": name})
    with pytest.raises(UsageError, match="letters, digits"):
        encoder_of(agent)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("env", {"action_repeat": 10**9}),
        ("env", {"action_repeat": "${oc.env:HOME}"}),
        ("env", {"velocity": "yes"}),
        ("agent", {"precision": "int1"}),
        ("agent", {"previous_step": {"_target_": "os.system"}}),
        ("encoder", {"finetune": 1.5}),
        ("env", None),
    ],
)
def test_what_cannot_be_is_refused(agent: Path, part: str, values: Any) -> None:
    change_notes(agent, **{part: values})
    with pytest.raises(UsageError) as caught:
        Habits.of_agent(read_agent(agent), str(agent))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("extractor_kwargs", {"depth": 10**6}),
        ("extractor_kwargs", {"depth": 2**16}),
        ("extractor_kwargs", {"dim": 2**16}),
        ("extractor_kwargs", {"wings": 2}),
        ("extractor_kwargs", None),
        ("net_arch", [10**9]),
        ("net_arch", {"pi": "wide"}),
        ("lstm_dim", "x"),
        ("name", ["SlotPolicy"]),
        ("extractor", {}),
    ],
)
def test_a_policy_that_is_none_is_refused(agent: Path, key: str, value: Any) -> None:
    from ocrl_agents.checkpoints import load_policy
    from ocrl_agents.vec_env import GymnasiumVecEnv

    def change(texts: dict[str, str], _: dict[str, Tensor]) -> None:
        header = json.loads(texts["header"])
        header["policy"][key] = value
        texts["header"] = json.dumps(header)

    forged.forge(agent, change)
    envs = gym.vector.SyncVectorEnv([Tokens], autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    with pytest.raises(UsageError) as caught:
        load_policy(agent, GymnasiumVecEnv(envs))
    assert "\n" not in str(caught.value)
