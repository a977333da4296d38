"""What rollouts ask of an environment: a policy, and ground truth if there is any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from gymnasium.wrappers.vector import TransformObservation
from numpy.typing import NDArray

from ocrl.data.clips import resize
from ocrl.errors import UsageError, nearest
from ocrl.rgb import is_rgb
from ocrl_envs.protocols import SEGMENT_STRIDE, HasGroundTruth, HasPolicies, Policy


class SegmentKinds(NamedTuple):
    """Kinds of true segments.

    Attributes:
        names: in the order of their numbers.
        num_stuff: so many come first that are no things.
    """

    names: tuple[str, ...] = ("background", "thing")
    num_stuff: int = 1


def shrink(
    environments: VectorEnv[Any, Any, Any], size: tuple[int, int]
) -> VectorEnv[Any, Any, Any]:
    """Return environments whose frames are no larger than (height, width), antialiased.

    What smaller frames show, and what is no RGB frame, stays as it is.
    """
    space = environments.single_observation_space
    if not is_rgb(space) or all(a <= b for a, b in zip((space.shape or ())[:2], size, strict=True)):
        return environments
    return TransformObservation(
        environments,
        lambda frames: resize(torch.from_numpy(frames), size).numpy(),
        single_observation_space=spaces.Box(0, 255, (*size, 3), np.uint8),
    )


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


def merge_stuff(
    segments: NDArray[np.integer], kinds: SegmentKinds, apart: Sequence[str] = ()
) -> NDArray[np.integer]:
    """Number all segments of a kind of stuff alike, 0 .. num_stuff - 1, and leave things alone.

    Args:
        segments: as a world numbers them, ``kind * SEGMENT_STRIDE + index``.
        kinds: of the world's segments.
        apart: kinds of stuff whose segments stay apart, with numbers from num_stuff on, below those
            of things.

    Raises:
        UsageError: there is no such kind of stuff.

    Example:
        >>> maze = SegmentKinds(("sky", "floor", "wall", "object"), num_stuff=3)
        >>> segments = np.array([0, 4096, 8192, 8199, 12289])
        >>> merge_stuff(segments, maze).tolist()
        [0, 1, 2, 2, 12289]
        >>> merge_stuff(segments, maze, apart=["wall"]).tolist()
        [0, 1, 8195, 8202, 12289]
    """
    stuff = kinds.names[: kinds.num_stuff]
    for name in apart:
        if name not in stuff:
            raise UsageError(f"data.apart: there is no stuff {name!r}: {nearest(name, stuff)}")
    kind = segments // SEGMENT_STRIDE
    merged = np.where(kind < kinds.num_stuff, kind, segments)
    stays = np.isin(kind, [stuff.index(name) for name in apart])
    return np.where(stays, segments + kinds.num_stuff, merged)
