"""Train, validation and test layouts, disjoint by the walls themselves."""

from __future__ import annotations

import difflib
from functools import lru_cache

from envs.errors import UsageError
from envs.maze.generator import carve_maze
from envs.maze.layouts import Layout
from envs.maze.rng import random_state

SPLIT_SIZES = {"train": 200, "validation": 50, "test": 200}
_SHARES = ("train",) * 4 + ("validation",) + ("test",) * 4


def split_of(layout: Layout) -> str:
    """Return the split that a layout belongs to: its canonical hash alone decides.

    Hence no maze, turned or mirrored, can be in two splits, whoever drew it.
    """
    return _SHARES[int(layout.canonical_hash(), 16) % len(_SHARES)]


def generate_layout(rows: int, cols: int, loops: float, seed: int) -> Layout:
    """Return the maze of a seed: the same walls on every platform.

    Args:
        rows: cells from north to south.
        cols: cells from west to east.
        loops: share of the walls between the corridors of a perfect maze that is taken out.
        seed: any non-negative integer.

    Example:
        >>> print(generate_layout(2, 3, 0.0, seed=1).to_text())
        *******
        ...
    """
    horizontal, vertical = carve_maze(rows, cols, loops, random_state(seed))
    return Layout(horizontal, vertical)


@lru_cache
def split_layouts(rows: int, cols: int, loops: float, split: str) -> tuple[Layout, ...]:
    """Return all layouts of a split for mazes of one size, always the same ones.

    Raises:
        UsageError: there is no such split.
    """
    if split not in SPLIT_SIZES:
        near = difflib.get_close_matches(split, SPLIT_SIZES, n=1, cutoff=0.0)[0]
        raise UsageError(f"no split {split!r}: choose {near!r} or another of {list(SPLIT_SIZES)}")
    layouts: dict[str, Layout] = {}
    seed = 0
    while len(layouts) < SPLIT_SIZES[split]:
        layout = generate_layout(rows, cols, loops, seed)
        if split_of(layout) == split:
            layouts.setdefault(layout.canonical_hash(), layout)
        seed += 1
    return tuple(layouts.values())
