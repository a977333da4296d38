"""Policies without learning, played once per study on the mazes and seeds of all agents."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_studies.core.record import open_record
from ocrl_studies.environments import make_environments, selected
from ocrl_studies.rollouts import rollout_policy
from ocrl_studies.transfer.cell import EPISODES, SHARED, play_watched
from ocrl_studies.transfer.comparison import RANDOM


def reference_policies(cfg: DictConfig) -> tuple[str, ...]:
    """Return the policies that a world is played with beside the agents: ``env.policies``."""
    return tuple(cfg.env.get("policies", [RANDOM]))


def reference_episodes(cfg: DictConfig, policy: str, condition: str) -> Path:
    """Return where the episodes of a policy are, for the layouts of an agent's configuration."""
    return _folder(cfg) / policy / EPISODES / f"{condition}.json"


def play_references(cfg: DictConfig) -> None:
    """Play what is missing.

    Args:
        cfg: the configuration of an agent, of whatever encoder.

    Raises:
        UsageError: other episodes were played before.
    """
    path = _folder(cfg) / "record.json"
    settings = selected(cfg, SHARED)
    record = open_record(path, "the policies without learning", settings, cfg.device)
    for policy in reference_policies(cfg):
        for condition in cfg.conditions:
            episodes = reference_episodes(cfg, policy, condition)
            if episodes.exists():
                continue
            print(f"playing the {policy} policy under condition {condition}")
            with record.timed(f"playing {policy} {condition}"):
                environments = make_environments(cfg.env, cfg.conditions[condition], cfg.num_envs)
                act = rollout_policy(policy, environments, cfg.episode_seed)
                play_watched(act, GymnasiumVecEnv(environments), cfg, condition, episodes)


def _folder(cfg: DictConfig) -> Path:
    """Conditions are about the layouts of training: each number of them has its own episodes."""
    return Path(cfg.study_dir) / "references" / f"layouts={cfg.layouts or 'all'}"
