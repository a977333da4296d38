"""What rollouts ask of an environment: a policy, and ground truth if there is any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ocrl.errors import UsageError, nearest
from ocrl_envs.maze.policies import POLICIES, make_policy
from ocrl_envs.maze.rendering.views import SEGMENT_KINDS, SEGMENT_STRIDE
from ocrl_envs.maze.vector import MazeVectorEnv

NUM_STUFF = SEGMENT_KINDS.index("picture")
Policy = Callable[[NDArray[Any]], NDArray[Any]]


def rollout_policy(name: str, environments: VectorEnv[Any, Any, Any], seed: int) -> Policy:
    """Return what chooses the actions of rollouts.

    Args:
        name: one of the maze's policies, or ``auto``: mixed in mazes, random elsewhere.
        environments: to act in.
        seed: of the policy's own choices.

    Raises:
        UsageError: the environments have no policy of that name.
    """
    if isinstance(environments.unwrapped, MazeVectorEnv):
        name = "mixed" if name == "auto" else name
        if name not in POLICIES:
            raise UsageError(f"there is no policy {name!r}: {nearest(name, POLICIES)}")
        return make_policy(name, environments.unwrapped, seed)
    if name not in ("auto", "random"):
        raise UsageError(f"this environment has no policy {name!r}: take data.policy=random")
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
