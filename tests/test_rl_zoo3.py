"""The hyperparameters for RL Baselines3 Zoo run there; skipped where it is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ocrl import create_encoder
from ocrl.checkpoints import save_encoder

CONFIG = Path(__file__).parents[1] / "examples/rl_zoo3/hyperparams.yml"


def test_ppo_of_the_zoo_trains_on_slots(tmp_path):
    pytest.importorskip("rl_zoo3")
    pytest.importorskip("ale_py")
    arguments = {"name": "slotcontrast", "num_slots": 3, "slot_dim": 16}
    torch.manual_seed(0)
    config = {"_target_": "ocrl.create_encoder", **arguments}
    save_encoder(tmp_path / "encoder.safetensors", create_encoder(**arguments), config)
    given = "--algo ppo --env ALE/Breakout-v5 --gym-packages ale_py -n 8 --eval-freq -1"
    changes = "n_envs:2 n_steps:8 batch_size:16"
    command = f"-m rl_zoo3.train {given} --log-folder {tmp_path} --conf-file {CONFIG}"
    done = subprocess.run(
        [sys.executable, *command.split(), "--hyperparams", *changes.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("ppo/ALE-Breakout-v5_1/ALE-Breakout-v5.zip"))
