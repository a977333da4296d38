"""Train, validation and test layouts, disjoint by the walls themselves."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.generator import carve_maze, carve_rooms
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.rng import random_state

SPLIT_SIZES = {"train": 200, "validation": 50, "test": 200}
_SHARES = ("train",) * 4 + ("validation",) + ("test",) * 4


def split_of_hash(canonical_hash: str) -> str:
    """Return the split that a layout's canonical hash, and nothing else, puts it into.

    Hence no maze, turned or mirrored, can be in two splits, whoever drew it.
    """
    return _SHARES[int(canonical_hash, 16) % len(_SHARES)]


@dataclass(frozen=True)
class Architecture:
    """What a family of layouts has in common.

    Attributes:
        rows: cells from north to south.
        cols: cells from west to east.
        loops: share of the walls between the corridors of a perfect maze that is taken out.
        largest_room: if given, rooms of at most so many cells a side in place of corridors.
    """

    rows: int
    cols: int
    loops: float = 0.0
    largest_room: int | None = None


def generate_layout(architecture: Architecture, seed: int) -> Layout:
    """Return the layout of a seed, any non-negative integer: the same walls on every platform.

    Example:
        >>> print(generate_layout(Architecture(rows=2, cols=5), seed=0).to_text())
        ***********
        ...
    """
    rows, cols, state = architecture.rows, architecture.cols, random_state(seed)
    if architecture.largest_room is None:
        return Layout(*carve_maze(rows, cols, architecture.loops, state))
    return Layout(*carve_rooms(rows, cols, architecture.largest_room, state))


@lru_cache
def split_layouts(architecture: Architecture, split: str) -> tuple[Layout, ...]:
    """Return all layouts of a split, always the same ones.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SPLIT_SIZES:
        near = difflib.get_close_matches(split, SPLIT_SIZES, n=1, cutoff=0.0)[0]
        raise UsageError(f"no split {split!r}: choose {near!r} or another of {list(SPLIT_SIZES)}")
    layouts: dict[str, Layout] = {}
    seed = 0
    while len(layouts) < SPLIT_SIZES[split]:
        layout = generate_layout(architecture, seed)
        canonical_hash = layout.canonical_hash()
        if split_of_hash(canonical_hash) == split:
            layouts.setdefault(canonical_hash, layout)
        seed += 1
    return tuple(layouts.values())
