"""Models, runs and what is noted of them in miniature: they learn nothing, and say all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import yaml
from omegaconf import OmegaConf
from torch.utils.data import Dataset

import ocrl
from ocrl.encoder import TrainableEncoder
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl_agents.checkpoints import load_policy, read_agent
from ocrl_agents.evaluation import Episode
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_studies.core.record import Record
from ocrl_studies.habits import Habits
from ocrl_studies.manifest import note
from ocrl_studies.runs import Run
from ocrl_studies.segmentation.scoring import ContenderScores
from ocrl_studies.transfer.episodes import save_episodes

NOTES = {
    "encoder": {"name": "ground_truth", "finetune": False},
    "agent": {"precision": "float32", "previous_step": False},
    "env": {"action_repeat": 4},
}
"""Habits of an agent."""

RUN = {"env": {"name": "maze"}, "agent": {"a": 1}, "seed": 0, "total_steps": 9}
"""Configuration of a run."""

MADE_WITH = {"data.policy": "random", "data.num_steps": 9}
"""Settings of data."""


class Tokens(gym.Env[Any, Any]):
    """Shows tokens that say nothing."""

    observation_space = gym.spaces.Box(-1, 1, (3, 4), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: Any) -> Any:
        """Begin."""
        return np.zeros((3, 4), np.float32), {}

    def step(self, action: Any) -> Any:
        """Go on."""
        return np.zeros((3, 4), np.float32), 1.0, False, False, {}


class Clips(Dataset[dict[str, torch.Tensor]]):
    """Short videos of noise with segments."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.videos = torch.from_numpy(rng.integers(0, 255, (4, 2, 16, 16, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return a video."""
        return {"video": self.videos[index], "segments": self.videos[index, ..., 0].int()}


def tiny_encoder() -> TrainableEncoder:
    """Return an encoder of two small slots."""
    torch.manual_seed(0)
    encoder = ocrl.create_encoder("slotcontrast", num_slots=2, slot_dim=8, image_size=(16, 16))
    assert isinstance(encoder, TrainableEncoder)
    return encoder


def tokens(number: int = 2) -> GymnasiumVecEnv:
    """Return environments that show tokens."""
    mode = gym.vector.AutoresetMode.SAME_STEP
    return GymnasiumVecEnv(gym.vector.SyncVectorEnv([Tokens] * number, autoreset_mode=mode))


def train_tiny(folder: Path, steps: int, *, resume: bool = False) -> None:
    """Train an agent for some steps, or go on with it."""
    model = make_ppo(tokens(), seed=0, n_steps=4, batch_size=8, calibration_steps=0)
    train(model, steps, folder, notes=NOTES, resume=resume, progress=False, checkpoint_every=8)


def pretrain_tiny(folder: Path, steps: int, *, resume: bool = False) -> None:
    """Pretrain an encoder for some steps, or go on with it."""
    settings = PretrainingSettings(
        max_steps=steps, steps_per_epoch=1, batch_size=1, learning_rate=1e-3, warmup_steps=1,
        gradient_clip=1.0, seed=0,
    )  # fmt: skip
    pretrain(
        tiny_encoder(), Clips(), Clips(), settings, folder, scores=SegmentationScores(0),
        callbacks=[], resume=resume,
    )  # fmt: skip


def make_record(folder: Path) -> None:
    """Write the record of a cell."""
    stages = {"training": {"wall": 1.0, "cpu": 1.0}}
    settings = {"seed": 0, "encoder.name": "grid"}
    Record(folder / "record.json", "a", settings, {"x": "y"}, {"cores": "2"}, stages).save()


def make_run(folder: Path) -> None:
    """Write the configuration of a run."""
    (folder / "config.yaml").write_text(yaml.safe_dump(RUN))


def read_run(folder: Path) -> None:
    """Ask whether the run may go on."""
    cfg = OmegaConf.create({**RUN, "run_dir": str(folder), "resume": True})
    Run.of(cfg, ("env", "agent", "seed"), "total_steps").check()


def make_checkpoint(folder: Path) -> None:
    """Write weights as published code does."""
    state = {f"decoder.{n}": torch.randn(3, 4) for n in range(3)}
    torch.save({"state_dict": state, "epoch": 3}, folder / "a.ckpt")


def make_texts(folder: Path) -> None:
    """Write files of text: a layout, episodes, scores, a curve, settings."""
    (folder / "maze.txt").write_text(
        Layout.from_text("*****\n*P G*\n*   *\n*A  *\n*****").to_text()
    )
    save_episodes(folder / "train.json", [Episode(7, {"layout": 3}, 1.0, 9, {"success": 1.0})] * 2)
    ContenderScores({"fg_ari": 0.5}, {"fg_ari": 3}, 4, 100, False).save(folder / "scored")
    (folder / "progress.csv").write_text("step,return\n8,1.5\n16,2.5\n")
    note(folder / "made_with.json", MADE_WITH)
    (folder / "scores.json").write_text(json.dumps({"grid": {"fg_ari": 0.1}}))


def read_agent_file(folder: Path) -> None:
    """Read an agent, and build its policy."""
    path = folder / "last.safetensors"
    Habits.of_agent(read_agent(path), str(path))
    load_policy(path, tokens(1))
