"""Training of an agent over the tokens of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from stable_baselines3.common.vec_env import VecEnv

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.shared_vec_env import make_shared
from ocrl_agents.training import LAST, train
from ocrl_agents.workers import Workers
from ocrl_studies.agent_encoder import AgentEncoder, find_encoder
from ocrl_studies.core.tables import read_curve
from ocrl_studies.env_settings import EnvSettings, Variation
from ocrl_studies.habits import Habits
from ocrl_studies.invocation import invocation
from ocrl_studies.observations import (
    make_token_environments,
    rewarding_novelty,
    rewarding_visits,
)
from ocrl_studies.plain import plain
from ocrl_studies.runs import Run

SAME = ("env", "encoder", "agent", "seed")
"""What an agent is made of: a run that goes on has the same. Its file knows its encoder."""

GROWS = "total_steps"


@dataclass(frozen=True)
class AgentTraining:
    """What is trained, where, and for how long.

    Attributes:
        env: that the agent acts in.
        encoder: of its frames.
        model: what makes PPO: ``_target_`` and arguments.
        explores: what it is rewarded for seeing anew, see `rewarding_novelty`; None: nothing, the
            environment rewards it.
        visit_bonus: what it is paid beside that in training, see `rewarding_visits`; 0: nothing.
        num_envs: that it acts in side by side.
        num_workers: processes that share them, and encode what they show.
        num_steps: of the environments, in all.
        eval_every: steps between two evaluations; 0: never.
        eval_episodes: of each.
        device: where it is trained.
        num_threads: of torch.
        run: its folder and settings.
    """

    env: EnvSettings
    encoder: AgentEncoder
    model: Mapping[str, Any]
    explores: str | None
    visit_bonus: float
    num_envs: int
    num_workers: int
    num_steps: int
    eval_every: int
    eval_episodes: int
    device: str
    num_threads: int
    run: Run

    @classmethod
    def of(cls, cfg: DictConfig) -> AgentTraining:
        """Return the training of a configuration like ``configs/train_agent.yaml``."""
        return cls(
            EnvSettings.of(cfg.env),
            AgentEncoder.of(cfg),
            plain(cfg.agent.model),
            cfg.agent.explores,
            cfg.agent.visit_bonus,
            cfg.agent.num_envs,
            cfg.agent.num_workers,
            cfg.total_steps,
            cfg.eval_every,
            cfg.eval_episodes,
            cfg.device,
            cfg.num_threads,
            Run.of(cfg, SAME, GROWS),
        )

    def train(self) -> Path:
        """Train PPO on train layouts, evaluating on train and validation layouts.

        Returns:
            The agent's checkpoint.
        """
        self._check_workers()
        self._check_rewards()
        encoder, run_dir = self.encoder.open(), self.run.folder
        self.run.check()
        habits = Habits.read(self.run.settings, "the configuration")

        layouts = self.env.splits
        # a world without splits is evaluated once
        is_split = layouts["train"] != layouts["validation"]
        splits = ("train", "validation") if is_split else ("validation",)
        with Workers(self.num_workers) as workers:

            def make(split: str, number: int, visit_bonus: float = 0) -> VecEnv:
                share = partial(self._make, layouts[split], habits, encoder, visit_bonus)
                return make_shared(workers, share, number)

            environments = make("train", self.num_envs, self.visit_bonus)
            model = instantiate(
                self.model, environments, seed=self.encoder.seed, device=self.device
            )
            with self.run.open():
                print(f"Training on {self.num_steps} steps of {self.env.id}: {run_dir}")
                train(
                    model,
                    self.num_steps,
                    run_dir,
                    encoder=self.encoder.keep(encoder),
                    evaluations={
                        split: make(split, self.eval_episodes)
                        for split in splits
                        if self.eval_every
                    },
                    eval_every=self.eval_every,
                    eval_episodes=self.eval_episodes,
                    notes=self.run.settings,
                    resume=self.run.resume,
                    num_threads=self.num_threads,
                )
        return run_dir / LAST

    def _check_workers(self) -> None:
        """Raise UsageError unless the workers can be given what they are to do."""
        if self.num_workers == 1:
            return
        given = f"agent.num_workers={self.num_workers}"
        if self.encoder.finetune:
            raise UsageError(
                f"{given} share the encoding, with encoder.finetune=true the policy encodes: take "
                "agent.num_workers=1"
            )
        if self.env.vectorization == "async":
            raise UsageError(
                f"{given} and env.vectorization=async are both processes: take "
                "env.vectorization=sync, or agent.num_workers=1"
            )
        most = min(self.num_envs, self.eval_episodes if self.eval_every else self.num_envs)
        if self.num_workers > most:
            raise UsageError(
                f"{given}, but there are agent.num_envs={self.num_envs} environments to share and "
                f"eval_episodes={self.eval_episodes}: take at most {most}"
            )

    def _check_rewards(self) -> None:
        """Raise UsageError unless the rewards go together."""
        if self.explores is not None and self.visit_bonus:
            raise UsageError(
                f"agent.visit_bonus={self.visit_bonus} is paid beside the rewards of the "
                f"environment, agent.explores={self.explores} in place of them: take "
                "agent.visit_bonus=0 or agent.explores=null"
            )

    def _make(
        self,
        variation: Variation,
        habits: Habits,
        encoder: Encoder | None,
        visit_bonus: float,
        num_envs: int,
    ) -> VecEnv:
        """Return environments that show what the agent reads."""
        venv = make_token_environments(self.env, variation, num_envs, habits, encoder)
        if self.explores is not None:
            return rewarding_novelty(venv, self.explores)
        return rewarding_visits(venv, visit_bonus) if visit_bonus else venv


def train_agent(cfg: DictConfig) -> Path:
    """Train an agent, and say what it came to.

    Args:
        cfg: as ``configs/train_agent.yaml``.

    Returns:
        The agent's checkpoint.

    Raises:
        UsageError: its encoder was not pretrained.
    """
    torch.set_num_threads(cfg.num_threads)
    find_encoder(cfg)
    path = AgentTraining.of(cfg).train()
    for name, scores in read_agent(path).header["scores"].items():
        print(f"return, {name}: {scores['return']:.2f}")
    _, returns = read_curve(path.parent / "progress.csv", "rollout/ep_rew_mean")
    if returns:
        print(f"return, the last episodes of the training: {returns[-1]:.2f}")
    else:
        print("no episode has ended: train for longer, with total_steps=...")
    print(f"agent: {path}")
    print(f"next:  {invocation('evaluate_transfer', cfg)}")
    return path
