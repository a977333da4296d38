"""Rollouts and clips of the environment that a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch.utils.data import Subset

from configs.cli import nearest
from configs.environments import make_environments
from envs.maze.policies import POLICIES, make_policy
from envs.maze.vector import MazeVectorEnv
from envs.maze.views import SEGMENT_KINDS, SEGMENT_STRIDE
from ocrl.data.clips import Clip, ClipDataset, evaluation_clips
from ocrl.data.mapped import MappedSegments
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts, dataset_folder
from ocrl.data.videos import Videos
from ocrl.errors import UsageError

NUM_STUFF = SEGMENT_KINDS.index("picture")
Policy = Callable[[NDArray[Any]], NDArray[Any]]


def collect(cfg: DictConfig, split: str, *, overwrite: bool = False) -> str:
    """Collect rollouts on one split of the layouts and return the dataset's name."""
    environments = make_environments(cfg.env, split, cfg.rollouts.num_envs, AutoresetMode.NEXT_STEP)
    dataset_id = dataset_name(cfg, split)
    collect_rollouts(
        environments,
        rollout_policy(cfg.rollouts.policy, environments, cfg.seed),
        dataset_id,
        cfg.rollouts.num_steps[split],
        seed=cfg.seed,
        extras=ground_truth(environments),
        description=f"{cfg.rollouts.policy} policy in {cfg.env.id}, {split} split",
        overwrite=overwrite,
    )
    environments.close()
    return dataset_id


def dataset_name(cfg: DictConfig, split: str) -> str:
    """Return the Minari name of the rollouts of a split."""
    return f"ocrl/{cfg.env.run_name}/{split}-v0"


def rollout_policy(name: str, environments: VectorEnv[Any, Any, Any], seed: int) -> Policy:
    """Return what chooses the actions of rollouts.

    Args:
        name: one of the maze's policies, or ``auto``: wandering in mazes, random elsewhere.
        environments: to act in.
        seed: of the policy's own choices.

    Raises:
        UsageError: the environments have no policy of that name.
    """
    if isinstance(environments.unwrapped, MazeVectorEnv):
        name = "wandering" if name == "auto" else name
        if name not in POLICIES:
            raise UsageError(f"there is no policy {name!r}: {nearest(name, POLICIES)}")
        return make_policy(name, environments.unwrapped, seed)
    if name not in ("auto", "random"):
        raise UsageError(f"this environment has no policy {name!r}: take rollouts.policy=random")
    environments.action_space.seed(seed)
    return lambda observations: np.asarray(environments.action_space.sample())


def ground_truth(
    environments: VectorEnv[Any, Any, Any],
) -> Callable[[], Mapping[str, NDArray[Any]]] | None:
    """Return what reads segments and poses out of mazes, or None for other environments."""
    mazes = environments.unwrapped
    if not isinstance(mazes, MazeVectorEnv):
        return None

    def read() -> dict[str, NDArray[Any]]:
        truth = mazes.ground_truth()
        return {
            "segments": truth.segments,
            "position": truth.position,
            "heading": truth.heading,
        }

    return read


def merge_stuff(segments: NDArray[np.integer]) -> NDArray[np.integer]:
    """Number sky, floor and all walls 0, 1 and 2, and leave pictures and objects as they are.

    Example:
        >>> merge_stuff(np.array([0, 4096, 8192, 8199, 16385])).tolist()
        [0, 1, 2, 2, 16385]
    """
    return np.where(segments < NUM_STUFF * SEGMENT_STRIDE, segments // SEGMENT_STRIDE, segments)


def training_clips(cfg: DictConfig) -> ClipDataset:
    """Return the clips to train on, of train layouts, collected first if need be."""
    return ClipDataset(
        rollout_videos(cfg, "train"),
        cfg.clip_length,
        image_size=tuple(cfg.encoder.image_size),
    )


def scoring_clips(cfg: DictConfig) -> Subset[Clip]:
    """Return fixed clips of validation layouts, with true segments where there are any."""
    return evaluation_clips(
        rollout_videos(cfg, "validation"),
        cfg.scoring.clip_length,
        cfg.scoring.num_clips,
        image_size=tuple(cfg.encoder.image_size),
    )


def rollout_videos(cfg: DictConfig, split: str) -> Videos:
    """Return the rollouts of a split, collected first if there are none."""
    dataset_id = dataset_name(cfg, split)
    if not dataset_folder(dataset_id).exists():
        print(f"There are no rollouts {dataset_id} yet: collecting them.")
        collect(cfg, split)
    return MappedSegments(load_rollouts(dataset_id, in_memory=cfg.rollouts.in_memory), merge_stuff)
