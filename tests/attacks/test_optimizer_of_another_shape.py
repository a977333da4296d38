"""Adam's moments smaller than the weights: torch would write beyond their end."""

from __future__ import annotations

from pathlib import Path

import forged
import gymnasium as gym
import pytest
import torch
from test_agent_notes import Tokens

from ocrl import UsageError
from ocrl_agents.checkpoints import restore, save_agent
from ocrl_agents.training import make_ppo


@pytest.mark.parametrize(
    ("moment", "number"), [("exp_avg", 1), ("exp_avg_sq", 1), ("step", 4), ("step", 0)]
)
def test_they_are_refused(tmp_path: Path, moment: str, number: int) -> None:
    mode = gym.vector.AutoresetMode.SAME_STEP
    envs = gym.vector.SyncVectorEnv([Tokens, Tokens], autoreset_mode=mode)
    model = make_ppo(envs, seed=0, n_steps=2, batch_size=4)
    model.learn(4)
    path = tmp_path / "last.safetensors"
    save_agent(path, model)
    assert restore(path, model).header["num_timesteps"] == 4
    name = f"optimizer.0.{moment}"
    forged.forge(path, lambda _, tensors: tensors.update({name: torch.zeros(number)}))
    with pytest.raises(UsageError, match="does not fit its weights"):
        restore(path, model)
