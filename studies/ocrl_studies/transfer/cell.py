"""One cell of the transfer study: an encoder and a seed. Each step skips what is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from omegaconf import DictConfig, OmegaConf
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from ocrl.errors import UsageError
from ocrl.visualization import save_image
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.evaluation import Act, evaluate
from ocrl_agents.training import LAST
from ocrl_studies.command_line import USAGE_ERRORS
from ocrl_studies.core.record import open_record
from ocrl_studies.environments import selected
from ocrl_studies.stages.evaluation import episodes_to_play, load_agent
from ocrl_studies.stages.pretrain_slots import pretrain_slots
from ocrl_studies.stages.train_agent import train_agent
from ocrl_studies.transfer.episodes import save_episodes
from ocrl_studies.transfer.strips import Watched

EPISODES = "transfer"
"""Folder of an agent's run with the episodes that it played, one file for each condition."""

SHARED = ("env", "agent", "total_steps", "conditions", "episodes", "episode_seed", "num_envs")
"""What all cells of a table have in common."""

OWN = ("encoder", "data", "pretraining", "clip_length", "seed")
"""What may differ between cells, but not between two starts of one."""


def run_cell(cfg: DictConfig) -> None:
    """Pretrain, train and play what is missing.

    Bad input stops this cell alone: the others go on, and the report names those that are missing.

    Args:
        cfg: as ``configs/transfer_study.yaml``.
    """
    name = f"{cfg.encoder.name} seed={cfg.seed}"
    path = record_path(cfg)
    try:
        record = open_record(path, name, selected(cfg, SHARED + OWN), cfg.device)
    except USAGE_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return
    with record.stopped_by_bad_input():
        if cfg.encoder.pretrained_as is not None and not Path(cfg.checkpoint).exists():
            with record.timed("pretraining"):
                _pretrain(cfg)
        for agent_cfg in agent_configs(cfg):
            suffix = "" if len(cfg.num_layouts) == 1 else f" in {agent_cfg.layouts} layouts"
            if not is_trained(agent_cfg):
                with record.timed(f"training{suffix}"):
                    train_agent(agent_cfg)
            for condition in agent_cfg.conditions:
                if not episodes_path(agent_cfg, condition).exists():
                    with record.timed(f"playing {condition}{suffix}"):
                        _play(agent_cfg, condition)


def record_path(cfg: DictConfig) -> Path:
    """Return where the record of the cell is."""
    return Path(cfg.study_dir) / f"cells/{cfg.encoder.name}/seed={cfg.seed}.json"


def agent_configs(cfg: DictConfig) -> Iterator[DictConfig]:
    """Yield the configuration of each agent of the cell: one for each number of layouts.

    Raises:
        UsageError: numbers that the environment does not have, or that make no curve.
    """
    if len(cfg.num_layouts) > 1 and None in cfg.num_layouts:
        raise UsageError(
            f"num_layouts={list(cfg.num_layouts)}: null is no point of a curve, give all layouts "
            "by their number"
        )
    for number in cfg.num_layouts:
        group = Path(cfg.runs_dir) / "agent" / cfg.env.run_name
        changes: dict[str, object] = {"layouts": number}
        if cfg.env.layouts:
            group = group / f"layouts={number or 'all'}"
            changes["env"] = {"train": {"num_layouts": number}}
        elif number is not None:
            raise UsageError(
                f"num_layouts={number} is for mazes, {cfg.env.run_name} has no layouts to "
                "choose from: leave num_layouts=[null]"
            )
        run_dir = group / cfg.encoder.name / f"seed={cfg.seed}"
        yield _changed(cfg, run_dir=str(run_dir), **changes)


def is_trained(cfg: DictConfig) -> bool:
    """Say whether an agent has done all its steps."""
    path = Path(cfg.run_dir) / LAST
    return path.exists() and bool(read_agent(path).header["num_timesteps"] >= cfg.total_steps)


def episodes_path(cfg: DictConfig, condition: str) -> Path:
    """Return where the episodes of an agent under a condition are."""
    run_dir = Path(cfg.run_dir)
    return run_dir / EPISODES / f"{condition}.json"


def _pretrain(cfg: DictConfig) -> None:
    """Make the checkpoint, unless a cell beside this one that shares it is about to."""
    checkpoint = Path(cfg.checkpoint)
    folder = checkpoint.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    # as the encoder would be pretrained that the weights are of, so that either cell can go on
    own = {"name": cfg.encoder.pretrained_as, "finetune": False, "wrapper": None}
    with FileLock(f"{folder}.lock"):
        if not checkpoint.exists():
            pretrain_slots(_changed(cfg, run_dir=str(folder), encoder=own))


def _play(cfg: DictConfig, condition: str) -> None:
    variation = cfg.conditions[condition]
    policy, environments = load_agent(Path(cfg.run_dir) / LAST, cfg, variation)
    print(f"playing {cfg.run_dir} under condition {condition}")
    play_watched(policy, environments, cfg, condition, episodes_path(cfg, condition))


def play_watched(
    agent: BasePolicy | Act, environments: VecEnv, cfg: DictConfig, condition: str, path: Path
) -> None:
    """Play the episodes of a condition; keep them, and a picture of the first beside them.

    Args:
        agent: who plays.
        environments: of the condition; they are closed afterwards.
        cfg: as ``configs/transfer_study.yaml``.
        condition: its name.
        path: of the episodes' file.
    """
    watched = Watched(environments, cfg.strip.num_frames, cfg.strip.every)
    seeds, options = episodes_to_play(cfg, environments)
    episodes = evaluate(agent, watched, seeds, options=options)
    environments.close()
    picture = watched.picture()
    if picture is not None:
        save_image(path.with_suffix(".png"), picture)
    save_episodes(path, episodes)


def _changed(cfg: DictConfig, **changes: object) -> DictConfig:
    loose = cfg.copy()
    OmegaConf.set_struct(loose, False)
    changed = OmegaConf.merge(loose, changes)
    assert isinstance(changed, DictConfig)
    return changed
