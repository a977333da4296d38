"""Tokens: mazes as a perfect slot encoder would see them, what is in the frame and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.objects import DIAMOND, KINDS, pack_kinds
from ocrl_envs.maze.ground_truth import GroundTruth, observe_truth
from ocrl_envs.maze.observations import own_velocity
from ocrl_envs.maze.simulation import Simulation

Array = npt.NDArray[np.float32]


def describe(simulation: Simulation, num_rays: int = 16) -> Array:
    """Return a token for each thing of each maze, and a last one for the walls.

    Things have the coordinates that `describe_things` names, zeros but for those; a thing that no
    pixel of the frame shows is all zeros. The last token holds how near what stands at eye height
    is, 1 / (1 + cells), along rays from the left edge of the view to the right, and the agent's
    velocity ahead and to the right as a fraction of the top speed.

    There are as many tokens under every shift. Where a maze has more things than its level, the
    surplus is shown in the places of things that are not visible, the nearest first.

    Args:
        simulation: the mazes.
        num_rays: columns of the frame whose distance is told.

    Returns:
        float32 (N, K + 1, D) of N mazes whose level has K things.
    """
    truth, level = observe_truth(simulation), simulation.level
    things = fit(describe_things(truth), int(level.has_goal) + level.num_good + level.num_bad)
    surroundings = np.concatenate(
        [look_around(truth, num_rays), own_velocity(simulation)[:, :2]], axis=1
    )
    num_mazes, num_things, width = things.shape
    tokens = np.zeros((num_mazes, num_things + 1, width + surroundings.shape[1]), np.float32)
    tokens[:, :-1, :width] = things
    tokens[:, -1, width:] = surroundings
    return tokens


def fit(things: Array, num_tokens: int) -> Array:
    """Put the visible things of each maze in so many tokens, (N, K, D); the furthest may be lost.

    >>> things = np.zeros((1, 4, 2), np.float32)
    >>> things[0, [0, 2, 3], 0], things[0, [0, 2, 3], 1] = 1, [0.1, 0.2, 0.3]
    >>> fit(things, 2)[0].tolist() == things[0, [0, 3]].tolist()
    True
    """
    kept = things[:, :num_tokens].copy()
    for own, surplus in zip(kept, things[:, num_tokens:], strict=True):
        visible = surplus[surplus[:, 0] > 0]
        nearest = visible[np.argsort(-visible[:, 1], kind="stable")]
        free = np.flatnonzero(own[:, 0] == 0)[: len(nearest)]
        own[free] = nearest[: len(free)]
    return kept


def describe_things(truth: GroundTruth) -> Array:
    """Return what a look at each thing tells, float32 (N, K, 14); zeros if it is not visible.

    One; nearness 1 / (1 + cells); sine and cosine of its bearing, to the right of the heading; and
    the kind's coordinates of `appearances`, so that kinds never seen before are described too.
    """
    east, south = np.moveaxis(truth.object_position - truth.position[:, None], -1, 0)
    bearing = np.arctan2(south, east) - truth.heading[:, None]
    where = np.stack(
        [np.ones_like(east), 1 / (1 + np.hypot(east, south)), np.sin(bearing), np.cos(bearing)],
        axis=-1,
    )
    things = np.concatenate([where, appearances()[truth.object_kind]], axis=-1)
    things[truth.object_pixels == 0] = 0
    return things.astype(np.float32)


@lru_cache
def appearances() -> Array:
    """Return for each kind one-hot shape, red, green, blue in [0, 1], radius and height in cells.

    Shape and colour are those of a kind's main part.

    >>> appearances().shape == (len(KINDS), 10)
    True
    """
    kinds = pack_kinds(KINDS)
    main = kinds.first[:-1]
    shapes = np.eye(DIAMOND + 1, dtype=np.float32)[kinds.shape[main]]
    sizes = np.stack([kinds.radius, kinds.top], axis=-1)
    return np.concatenate([shapes, kinds.colour[main] / 255, sizes], axis=-1)


def look_around(truth: GroundTruth, num_rays: int) -> Array:
    """Return nearness at eye height along rays over the field of view, float32 (N, num_rays)."""
    size = truth.depth.shape[-1]
    columns = ((np.arange(num_rays) + 0.5) * size / num_rays).astype(np.int64)
    # depth is along the view, distance along the ray: the view is 90 degrees wide
    slopes = (columns + 0.5) / (size / 2) - 1
    distances = truth.depth[:, size // 2, columns] * np.hypot(1, slopes)
    nearness: Array = (1 / (1 + distances)).astype(np.float32)
    return nearness
