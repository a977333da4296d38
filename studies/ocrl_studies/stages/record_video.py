"""A film of what a policy or a trained agent sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from tqdm import tqdm

from ocrl.errors import UsageError
from ocrl.visualization import Image, save_video
from ocrl_agents.checkpoints import read_agent
from ocrl_agents.videos import film
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import make_environments
from ocrl_studies.habits import Habits
from ocrl_studies.plain import plain
from ocrl_studies.rollouts import rollout_policy
from ocrl_studies.stages.evaluation import load_agent

DECISIONS_PER_SECOND = 15


def record_video(cfg: DictConfig) -> None:
    """Play one episode from its beginning."""
    torch.set_num_threads(cfg.num_threads)
    name = cfg.policy if cfg.checkpoint is None else encoder_of(Path(cfg.checkpoint))
    folder = Path(cfg.runs_dir) / "videos"
    output = Path(cfg.output or folder / f"{cfg.env.run_name}-{name}-{cfg.seed}.mp4")
    if output.exists() and not cfg.overwrite:
        raise UsageError(f"{output} exists: replace it with overwrite=true, or set another output")
    video = film_policy(cfg) if cfg.checkpoint is None else film_agent(cfg)
    save_video(output, video, DECISIONS_PER_SECOND)
    print(f"video: {output}")


def encoder_of(agent: Path) -> str:
    """Return the name of the encoder that an agent was trained with."""
    return Habits.of_agent(read_agent(agent), str(agent)).encoder


def film_agent(cfg: DictConfig) -> Image:
    """Film frames, slots, where the agent's policy looks, and the map if there is one."""
    variation = {**plain(cfg.variation), "render_mode": "rgb_array"}
    policy, environments = load_agent(
        Path(cfg.checkpoint),
        EnvSettings.of(cfg.env),
        variation,
        cfg.num_envs,
        cfg.device,
        cfg.trusted,
        cfg.encoder_checkpoint,
    )
    video = film(policy, environments, cfg.seed, num_steps=cfg.steps, progress=True)
    environments.close()
    return video


def film_policy(cfg: DictConfig) -> Image:
    """Film what a policy without learning sees, beside the map."""
    variation = {**plain(cfg.variation), "render_mode": "rgb_array"}
    environments = make_environments(EnvSettings.of(cfg.env), variation, 1)
    policy = rollout_policy(cfg.policy, environments, cfg.seed)
    observations, _ = environments.reset(seed=cfg.seed)
    pictures: list[Any] = [*(environments.render() or ())]
    for _ in tqdm(range(cfg.steps), unit="step"):
        observations, _, terminations, truncations, _ = environments.step(policy(observations))
        if terminations[0] or truncations[0]:
            break
        pictures += environments.render() or ()
    environments.close()
    return np.stack(pictures)
