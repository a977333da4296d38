"""What rollouts ask of an environment: a policy, and ground truth if there is any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from ocrl.errors import UsageError, nearest
from ocrl_envs.protocols import SEGMENT_STRIDE, HasGroundTruth, HasPolicies, Policy


class SegmentKinds(NamedTuple):
    """Kinds of true segments.

    Attributes:
        names: in the order of their numbers.
        num_stuff: so many come first that are no things.
    """

    names: tuple[str, ...] = ("background", "thing")
    num_stuff: int = 1


def rollout_policy(name: str, environments: VectorEnv[Any, Any, Any], seed: int) -> Policy:
    """Return what chooses the actions of rollouts.

    Args:
        name: one of the world's policies, or ``auto``: the one that it collects rollouts with;
            random where it has none.
        environments: to act in.
        seed: of the policy's own choices.

    Raises:
        UsageError: the environments have no policy of that name.
    """
    world: Any = environments.unwrapped
    if isinstance(world, HasPolicies):
        name = world.rollout_policy if name == "auto" else name
        if name not in world.policies:
            raise UsageError(f"there is no policy {name!r}: {nearest(name, world.policies)}")
        return world.make_policy(name, seed)
    if name not in ("auto", "random"):
        raise UsageError(f"this environment has no policy {name!r}: take data.policy=random")
    environments.action_space.seed(seed)
    return lambda observations: np.asarray(environments.action_space.sample())


def ground_truth(
    environments: VectorEnv[Any, Any, Any],
) -> Callable[[], Mapping[str, NDArray[Any]]] | None:
    """Return what reads segments and all else that a world knows of its frames, None elsewhere."""
    world: Any = environments.unwrapped
    return world.annotations if isinstance(world, HasGroundTruth) else None


def segment_kinds(environments: VectorEnv[Any, Any, Any]) -> SegmentKinds:
    """Return the kinds of a world's true segments."""
    world: Any = environments.unwrapped
    if isinstance(world, HasGroundTruth):
        return SegmentKinds(tuple(world.segment_kinds), world.num_stuff)
    return SegmentKinds()


def merge_stuff(segments: NDArray[np.integer], num_stuff: int) -> NDArray[np.integer]:
    """Number all segments of a kind of stuff alike, 0 .. num_stuff - 1, and leave things alone.

    Example:
        >>> merge_stuff(np.array([0, 4096, 8192, 8199, 16385]), num_stuff=3).tolist()
        [0, 1, 2, 2, 16385]
    """
    return np.where(segments < num_stuff * SEGMENT_STRIDE, segments // SEGMENT_STRIDE, segments)
