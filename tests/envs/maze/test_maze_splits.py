from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.splits import (
    SPLIT_SIZES,
    Architecture,
    generate_layout,
    split_layouts,
    split_of_hash,
)
from ocrl_envs.maze.rng import next_word, random_index, random_unit
from ocrl_envs.maze.task.levels import LEVELS

seeded = settings(deadline=None, derandomize=True, max_examples=50)
ARCHITECTURES = {level.architecture for level in LEVELS.values()} | {
    level.larger for level in LEVELS.values()
}


def splitmix(state: int) -> tuple[int, int]:
    """Return the next state and word, in Python's integers."""
    mask = 2**64 - 1
    state = (state + 0x9E3779B97F4A7C15) & mask
    word = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return state, word ^ (word >> 31)


@seeded
@given(st.integers(0, 2**64 - 1), st.integers(1, 1000))
def test_random_numbers_against_python_integers(seed: int, stop: int) -> None:
    state = np.array([seed], np.uint64)
    expected, word = splitmix(seed)
    assert next_word(state) == word
    expected, word = splitmix(expected)
    assert random_index(state, stop) == ((word >> 32) * stop) >> 32
    expected, word = splitmix(expected)
    assert random_unit(state) == (word >> 40) / 2**24
    assert state[0] == expected


def test_layouts_are_the_same_everywhere() -> None:
    texts = [
        generate_layout(architecture, seed).to_text()
        for architecture in sorted(ARCHITECTURES, key=str)
        for seed in range(3)
    ]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "94af9c39c326378013dbaf95366d04f1cfa9dc94fd63a4eac0601cb0960c4320"


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES, key=str), ids=str)
def test_splits_are_disjoint_and_full(architecture: Architecture) -> None:
    seen: set[str] = set()
    for split, size in SPLIT_SIZES.items():
        hashes = [layout.canonical_hash() for layout in split_layouts(architecture, split)]
        assert {split_of_hash(name) for name in hashes} == {split}
        assert len(set(hashes)) == size
        assert not seen & set(hashes)
        seen |= set(hashes)


@seeded
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([None, 3]), st.integers(0, 10**9))
def test_every_cell_can_be_reached(rows: int, cols: int, room: int | None, seed: int) -> None:
    layout = generate_layout(Architecture(rows, cols, 0.2, room), seed)
    assert (layout.distances((0, 0)) >= 0).all()
    assert layout.horizontal[[0, -1]].all()
    assert layout.vertical[:, [0, -1]].all()


@pytest.mark.parametrize("loops", [0.0, 0.25, 1.0])
def test_share_of_loops(loops: float) -> None:
    rows, cols = 9, 15
    layout = generate_layout(Architecture(rows, cols, loops), 3)
    inner = layout.horizontal[1:-1].sum() + layout.vertical[:, 1:-1].sum()
    # a tree over the cells opens all but this many of the inner walls
    of_tree = (rows - 1) * cols + rows * (cols - 1) - (rows * cols - 1)
    assert inner == of_tree - round(loops * of_tree)


def test_rooms_are_as_large_as_asked() -> None:
    layout = generate_layout(Architecture(12, 12, largest_room=3), 0)
    longest = 0
    for line in layout.vertical.T[1:-1]:
        runs = "".join("x" if wall else " " for wall in line).split()
        longest = max([longest, *map(len, runs)])
    assert longest >= 2
    assert layout.horizontal[1:-1].any(axis=0).all()


def test_unknown_split() -> None:
    with pytest.raises(UsageError, match="no split 'tset': choose 'test'"):
        split_layouts(Architecture(5, 10), "tset")
