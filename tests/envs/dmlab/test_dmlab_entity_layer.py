from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrl_envs.dmlab import entity_layer
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.layout import Layout


@st.composite
def mazes(draw):
    """A maze in which every cell can be reached, with one goal, and perhaps starts and apples."""
    rows, cols = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    grid = np.full((2 * rows + 1, 2 * cols + 1), "*")
    grid[1::2, 1::2] = " "
    for row in range(rows):
        for col in range(cols):
            ways = [(1, 0)] * (row + 1 < rows) + [(0, 1)] * (col + 1 < cols)
            for down, right in draw(st.sets(st.sampled_from(ways), min_size=1)) if ways else ():
                grid[2 * row + 1 + down, 2 * col + 1 + right] = " "
    cells = [(2 * row + 1, 2 * col + 1) for row in range(rows) for col in range(cols)]
    marked = draw(
        st.lists(st.sampled_from(cells), unique=True, min_size=1, max_size=len(cells) - 1)
    )
    marks = "G" + draw(st.text("PA", min_size=len(marked) - 1, max_size=len(marked) - 1))
    for cell, mark in zip(marked, marks, strict=True):
        grid[cell] = mark
    return "\n".join("".join(line) for line in grid)


def blocks_to_goal(lines):
    """Count the blocks on the shortest way from every block to the goal."""
    (goal,) = [(i, j) for i, line in enumerate(lines) for j, char in enumerate(line) if char == "G"]
    distance = {goal: 0}
    queue = deque([goal])
    while queue:
        i, j = queue.popleft()
        for near in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if lines[near[0]][near[1]] != "*" and near not in distance:
                distance[near] = distance[i, j] + 1
                queue.append(near)
    return distance


@settings(max_examples=40, deadline=None)
@given(mazes())
def test_same_maze_in_blocks(text):
    lines = entity_layer(text).splitlines()
    layout = Layout.from_text(text)
    assert {len(line) for line in lines} == {2 * layout.cols + 1}
    assert len(lines) == 2 * layout.rows + 1
    cells, blocks = layout.distances(layout.goals[0]), blocks_to_goal(lines)
    for (row, col), steps in np.ndenumerate(cells):
        assert blocks[2 * row + 1, 2 * col + 1] == 2 * steps
    assert entity_layer("\n".join(lines)) == entity_layer(text)


@settings(max_examples=40, deadline=None)
@given(mazes())
def test_things_stay_and_agents_start_where_there_is_nothing_else(text):
    before, after = Layout.from_text(text), Layout.from_text(entity_layer(text))
    assert (after.goals, after.apples) == (before.goals, before.apples)
    if before.starts:
        assert after.starts == before.starts
    else:
        free = before.rows * before.cols - len(before.goals) - len(before.apples)
        assert len(after.starts) == free


def test_post_without_walls_leaves_no_pillar():
    assert (
        entity_layer("*****\n*P  *\n* * *\n*  G*\n*****") == "*****\n*P  *\n*   *\n*  G*\n*****\n"
    )


def test_several_goals_stay():
    assert entity_layer("*******\n*G P G*\n*******") == "*******\n*G P G*\n*******\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*****\n*P  *\n*****", "no goal"),
        ("*****\n*A G*\n*****", "no cell to start in"),
        ("*****\n*P*G*\n*****", "cannot be reached"),
        ("*****\n*P G \n*****", "line 2, column 5"),
        ("*****\n*P X*\n*****", "unknown character 'X'"),
    ],
)
def test_what_is_no_maze(text, message):
    with pytest.raises(UsageError, match=message) as error:
        entity_layer(text)
    assert "\n" not in str(error.value)
