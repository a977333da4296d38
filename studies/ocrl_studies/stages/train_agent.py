"""Training of an agent over the tokens of an encoder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl_agents.checkpoints import read_agent
from ocrl_agents.training import LAST, train
from ocrl_studies.core.tables import read_curve
from ocrl_studies.environments import settings
from ocrl_studies.habits import Habits
from ocrl_studies.invocation import invocation
from ocrl_studies.observations import keep_encoder, make_token_environments, open_encoder
from ocrl_studies.runs import check_run, open_run

SAME = ("env", "encoder", "agent", "seed")
"""What an agent is made of: a run that goes on has the same. Its file knows its encoder."""

GROWS = "total_steps"


def train_agent(cfg: DictConfig) -> Path:
    """Train PPO on train layouts, evaluating on train and validation layouts.

    Args:
        cfg: as ``configs/train_agent.yaml``.

    Returns:
        The agent's checkpoint.
    """
    torch.set_num_threads(cfg.num_threads)
    encoder = open_encoder(cfg)
    check_run(cfg, SAME, GROWS)
    make = partial(make_token_environments, cfg.env, habits=Habits.of(cfg), encoder=encoder)
    environments = make(cfg.env.train, cfg.agent.num_envs)
    # a world without splits is evaluated once
    is_split = settings(cfg.env.train) != settings(cfg.env.validation)
    splits = ("train", "validation") if is_split else ("validation",)
    model = instantiate(cfg.agent.model, environments, seed=cfg.seed, device=cfg.device)
    with open_run(cfg, SAME, GROWS) as run_dir:
        print(f"Training on {cfg.total_steps} steps of {cfg.env.id}: {run_dir}")
        train(
            model,
            cfg.total_steps,
            run_dir,
            encoder=keep_encoder(encoder, cfg),
            evaluations={
                split: make(cfg.env[split], cfg.eval_episodes) for split in splits if cfg.eval_every
            },
            eval_every=cfg.eval_every,
            eval_episodes=cfg.eval_episodes,
            notes=settings(cfg),
            resume=cfg.resume,
            num_threads=cfg.num_threads,
        )
    for name, scores in read_agent(run_dir / LAST).header["scores"].items():
        print(f"return, {name}: {scores['return']:.2f}")
    _, returns = read_curve(run_dir / "progress.csv", "rollout/ep_rew_mean")
    if returns:
        print(f"return, the last episodes of the training: {returns[-1]:.2f}")
    else:
        print("no episode has ended: train for longer, with total_steps=...")
    print(f"agent: {run_dir / LAST}")
    print(f"next:  {invocation('evaluate_transfer', cfg)}")
    return run_dir / LAST
