"""One cell of the transfer study: an encoder is pretrained, agents are trained on it and play."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from filelock import FileLock
from omegaconf import DictConfig

from ocrl_studies.command_line import USAGE_ERRORS
from ocrl_studies.core.cell import Cell, Step, run_cell
from ocrl_studies.plain import selected
from ocrl_studies.runs import check_one_process
from ocrl_studies.stages.pretrain_slots import SlotPretraining, is_done
from ocrl_studies.stages.train_agent import AgentTraining
from ocrl_studies.transfer.plan import (
    OWN,
    PRETRAINING,
    SHARED,
    Agent,
    Evaluation,
    agent_configs,
    layouts_name,
    pretraining_config,
)
from ocrl_studies.transfer.playing import play_agent


def transfer_study(cfg: DictConfig) -> None:
    """Pretrain, train and play what is missing of one encoder and seed.

    Args:
        cfg: as ``configs/transfer_study.yaml``.
    """
    torch.set_num_threads(cfg.num_threads)
    try:
        run_cell(plan_cell(cfg))
    except USAGE_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)


def plan_cell(cfg: DictConfig) -> Cell:
    """Return what is to be done for one encoder and seed.

    Args:
        cfg: as ``configs/transfer_study.yaml``.

    Raises:
        UsageError: as `agent_configs`, or pretraining is to be in several processes.
    """
    check_one_process(cfg)
    checkpoint = Path(cfg.checkpoint)
    agents = {layouts_name(agent.layouts): agent for agent in agent_configs(cfg)}
    steps = []
    if cfg.encoder.pretrained_as is not None:
        pretraining = SlotPretraining.of(pretraining_config(cfg, checkpoint.parent))
        done = partial(is_done, checkpoint)
        steps.append(Step("pretraining", done, partial(pretrain, pretraining)))
    for agent in agents.values():
        steps += agent_steps(agent, "" if len(agents) == 1 else f" in {agent.layouts} layouts")
    return Cell(
        f"{cfg.encoder.name} seed={cfg.seed}",
        Path(cfg.study_dir) / f"cells/{cfg.encoder.name}/seed={cfg.seed}.json",
        selected(cfg, SHARED + OWN),
        cfg.device,
        {
            PRETRAINING: checkpoint.parent,
            **{name: Path(agent.run_dir) for name, agent in agents.items()},
        },
        steps,
    )


def agent_steps(cfg: DictConfig, suffix: str) -> Iterator[Step]:
    """Yield the training of an agent, and its play under each condition.

    Args:
        cfg: of `agent_configs`.
        suffix: of the steps' names.
    """
    training, evaluation = AgentTraining.of(cfg), Evaluation.of(cfg)
    agent = Agent.of(cfg.encoder.name, cfg.seed, cfg.layouts, training.run.folder)
    yield Step(f"training{suffix}", partial(agent.is_trained, training.num_steps), training.train)
    for condition in evaluation.conditions:
        play = partial(play_agent, agent, evaluation, condition)
        yield Step(f"playing {condition}{suffix}", agent.episodes(condition).exists, play)


def pretrain(pretraining: SlotPretraining) -> None:
    """Make the checkpoint of an encoder, unless a cell beside this one that shares it does."""
    checkpoint, folder = pretraining.checkpoint, pretraining.run.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not is_done(checkpoint):
            pretraining.train()
