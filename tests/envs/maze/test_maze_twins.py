"""The twins of DeepMind Lab's mazes against the recordings that they are derived from."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import needs_recordings, pieces, seen_walls

from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.twins import TWINS

SEEN = {"nav_maze_static_01": 106, "nav_maze_random_goal_01": 87}
"""Of 115 places for walls."""


@pytest.mark.parametrize("name", list(TWINS))
def test_twins_can_be_walked(name: str) -> None:
    layout = TWINS[name].layout
    assert (layout.distances((0, 0)) >= 0).all()
    is_static = "static" in name
    assert (len(layout.goals), len(layout.apples)) == ((1, 5) if is_static else (0, 0))


@needs_recordings
@pytest.mark.parametrize("name", list(TWINS))
def test_walls_are_those_that_recorded_frames_show(name: str) -> None:
    layout = TWINS[name].layout
    horizontal, vertical = seen_walls(name)
    for walls, seen in ((layout.horizontal, horizontal), (layout.vertical, vertical)):
        np.testing.assert_array_equal(walls[seen >= 0], seen[seen >= 0] == 1)
    assert sum((seen >= 0).sum() for seen in (horizontal, vertical)) == SEEN[name]


@needs_recordings
def test_places_that_nobody_saw_are_open_only_where_they_must_be() -> None:
    name = "nav_maze_random_goal_01"
    layout, seen = TWINS[name].layout, seen_walls(name)
    walls = (layout.horizontal.copy(), layout.vertical.copy())
    unseen = [np.argwhere((s < 0) & (w == 0)) for s, w in zip(seen, walls, strict=True)]
    assert sum(map(len, unseen)) == 11
    for which, places in enumerate(unseen):
        for place in map(tuple, places):
            closed = [w.copy() for w in walls]
            closed[which][place] = 1
            assert (Layout(*closed).distances((0, 0)) < 0).any()


@needs_recordings
@pytest.mark.parametrize("name", list(TWINS))
def test_apples_are_where_recorded_rewards_were(name: str) -> None:
    for piece in pieces(name):
        for step in np.flatnonzero(piece.rewards == 1):
            east, south = np.floor(piece.position[step + 1]).astype(int)
            assert (south, east) in TWINS[name].layout.apples
