"""The stages from an environment to a transfer result, each a function of a configuration.

The scripts run one of them, the transfer study all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sized
from functools import partial
from pathlib import Path
from typing import cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv

from ocrl.annotations import annotated
from ocrl.checkpoints import load_encoder, save_encoder
from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.pictures import MaskPictures, draw_masks
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.scoring import SegmentationScores
from ocrl_agents.checkpoints import load_policy, read_agent
from ocrl_agents.evaluation import Episode, evaluate
from ocrl_agents.training import LAST, train
from ocrl_agents.vec_env import environment_seeds
from ocrl_studies.core.terminal import print_table
from ocrl_studies.environments import num_layouts, settings
from ocrl_studies.observations import keep_encoder, make_token_environments, open_encoder
from ocrl_studies.runs import open_run
from ocrl_studies.segmentation.scoreboard import baselines, make_scoreboard
from ocrl_studies.sources import Source


def pretrain_slots(cfg: DictConfig) -> Path:
    """Train an encoder on clips of train layouts, then score it on clips of validation layouts.

    Args:
        cfg: as ``configs/pretrain_slots.yaml``.

    Returns:
        The encoder's checkpoint.
    """
    torch.set_num_threads(cfg.num_threads)
    if cfg.encoder.pretrained_as is None:
        raise UsageError(
            f"encoder={cfg.encoder.name} has nothing to pretrain: train an agent with it at once, "
            f"python scripts/train_agent.py encoder={cfg.encoder.name}"
        )
    if cfg.encoder.pretrained_as != cfg.encoder.name:
        raise UsageError(
            f"encoder={cfg.encoder.name} has the weights of another: pretrain that with "
            f"encoder={cfg.encoder.pretrained_as}"
        )
    run_dir = open_run(cfg, same=("data", "encoder", "clip_length", "seed"))
    path = run_dir / "encoder.safetensors"
    if path.exists():
        print(f"{path} is trained already")
        return path
    source: Source = instantiate(cfg.data)
    height, width = cfg.encoder.image_size
    size = (height, width)
    training = source.training_clips(cfg.clip_length, size)
    scored = source.scoring_clips(cfg.scoring.num_clips, cfg.scoring.clip_length, size)
    torch.manual_seed(cfg.seed)
    encoder = instantiate(cfg.encoder.model)
    clips = annotated(training, encoder, source.num_stuff)
    validation = annotated(scored, encoder, source.num_stuff)
    number = len(cast(Sized, clips))
    print(f"Training {cfg.encoder.name} on {number} clips, on {cfg.device}: {run_dir}")
    pretrain(
        encoder,
        clips,
        validation,
        PretrainingSettings(seed=cfg.seed, device=cfg.device, **settings(cfg.pretraining)),
        run_dir,
        scores=SegmentationScores(source.num_stuff),
        callbacks=[MaskPictures(validation, cfg.scoring.num_pictures, run_dir / "pictures")],
        resume=cfg.resume,
    )
    scores = {}
    if "segments" in validation[0] and draw_masks(encoder, [validation[0]]) is not None:
        contenders = {cfg.encoder.name: encoder.cpu(), **baselines(encoder.num_tokens, size)}
        board = make_scoreboard(contenders, validation, source.num_stuff)
        print_table(*board.table())
        scores = board.scores
    write_text(run_dir / "scores.json", json.dumps(scores, indent=2))
    model = settings(cfg.encoder.model)
    save_encoder(path, encoder, model, {"seed": cfg.seed, "scores": scores})
    print(f"encoder: {path}\nmasks:   {run_dir / 'pictures'}")
    return path


def train_agent(cfg: DictConfig) -> Path:
    """Train PPO on train layouts, evaluating on train and validation layouts.

    Args:
        cfg: as ``configs/train_agent.yaml``.

    Returns:
        The agent's checkpoint.
    """
    torch.set_num_threads(cfg.num_threads)
    encoder = open_encoder(cfg)
    run_dir = open_run(cfg, same=("env", "encoder", "agent", "checkpoint", "seed"))
    make = partial(make_token_environments, cfg.env, agent=cfg, encoder=encoder)
    environments = make(cfg.env.train, cfg.agent.num_envs)
    model = instantiate(cfg.agent.model, environments, seed=cfg.seed, device=cfg.device)
    print(f"Training on {cfg.total_steps} steps of {cfg.env.id}: {run_dir}")
    train(
        model,
        cfg.total_steps,
        run_dir,
        encoder=keep_encoder(encoder, cfg),
        evaluations={
            split: make(cfg.env[split], cfg.eval_episodes)
            for split in ("train", "validation")
            if cfg.eval_every
        },
        eval_every=cfg.eval_every,
        eval_episodes=cfg.eval_episodes,
        notes=settings(cfg),
        resume=cfg.resume,
        num_threads=cfg.num_threads,
    )
    print(f"agent: {run_dir / LAST}")
    return run_dir / LAST


def load_agent(
    path: Path, cfg: DictConfig, variation: DictConfig
) -> tuple[ActorCriticPolicy, VecEnv]:
    """Return a trained agent, and environments that show what it expects.

    Args:
        path: the agent's checkpoint.
        cfg: as ``configs/evaluate_transfer.yaml``.
        variation: a condition of transfer.
    """
    agent = read_agent(path)
    checkpoint = agent.encoder
    encoder = None if checkpoint is None else load_encoder(checkpoint).to(cfg.device)
    trained = OmegaConf.create(agent.header["notes"])
    environments = make_token_environments(cfg.env, variation, cfg.num_envs, trained, encoder)
    return load_policy(path, environments, encoder=checkpoint, device=cfg.device), environments


def play(path: Path, cfg: DictConfig, variation: DictConfig) -> list[Episode]:
    """Play episodes whose mazes and seeds are the same for every agent.

    Args:
        path: the agent's checkpoint.
        cfg: as ``configs/evaluate_transfer.yaml``.
        variation: a condition of transfer.
    """
    policy, environments = load_agent(path, cfg, variation)
    seeds, options = episodes_to_play(cfg, environments)
    episodes = evaluate(policy, environments, seeds, options=options)
    environments.close()
    return episodes


def episodes_to_play(
    cfg: DictConfig, environments: VecEnv
) -> tuple[list[int], list[dict[str, int]] | None]:
    """Return seeds and reset options of the episodes under a condition, the same for all agents.

    Mazes are played one after the other, from the first again when there are fewer than episodes.
    """
    seeds = environment_seeds(cfg.episode_seed, cfg.episodes)
    number = num_layouts(environments)
    if number is None:
        return seeds, None
    return seeds, [{"layout": i % number} for i in range(cfg.episodes)]
