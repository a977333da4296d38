"""The twins of DeepMind Lab's mazes against the recordings that they are derived from."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import needs_recordings, pieces, seen_walls

from ocrl_envs.maze.layout.twins import TWINS


@pytest.mark.parametrize("name", list(TWINS))
def test_twins_can_be_walked(name: str) -> None:
    layout = TWINS[name].layout
    assert (layout.distances(layout.goals[0]) >= 0).all()
    assert len(layout.apples) == 5


@needs_recordings
@pytest.mark.parametrize("name", list(TWINS))
def test_walls_are_those_that_recorded_frames_show(name: str) -> None:
    layout = TWINS[name].layout
    horizontal, vertical = seen_walls(name)
    for walls, seen in ((layout.horizontal, horizontal), (layout.vertical, vertical)):
        np.testing.assert_array_equal(walls[seen >= 0], seen[seen >= 0] == 1)
    assert sum((seen >= 0).sum() for seen in (horizontal, vertical)) == 106


@needs_recordings
@pytest.mark.parametrize("name", list(TWINS))
def test_apples_are_where_recorded_rewards_were(name: str) -> None:
    for piece in pieces(name):
        for step in np.flatnonzero(piece.rewards == 1):
            east, south = np.floor(piece.position[step + 1]).astype(int)
            assert (south, east) in TWINS[name].layout.apples
