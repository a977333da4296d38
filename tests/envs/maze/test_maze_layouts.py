from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.csgraph import shortest_path

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.distances import fill_distances
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.maps import build_maps
from ocrl_envs.maze.layout.splits import Architecture, generate_layout

# the first layout waits for a compiler
seeded = settings(
    deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
sizes = st.builds(
    Architecture,
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
    loops=st.sampled_from([0.0, 0.2, 1.0]),
    largest_room=st.sampled_from([None, 3, 4]),
)
layouts = st.builds(generate_layout, sizes, st.integers(0, 10**9))


@seeded
@given(layouts)
def test_text_gives_back_the_same_walls(layout: Layout) -> None:
    again = Layout.from_text(layout.to_text())
    np.testing.assert_array_equal(again.horizontal, layout.horizontal)
    np.testing.assert_array_equal(again.vertical, layout.vertical)


def test_marks_survive_the_text() -> None:
    text = "\n".join(["*******", "*P A  *", "* *** *", "*G   P*", "*******"])
    layout = Layout.from_text(text)
    assert layout.starts == ((0, 0), (1, 2))
    assert layout.goals == ((1, 0),)
    assert layout.apples == ((0, 1),)
    assert layout.to_text() == text


@seeded
@given(layouts, st.integers(0, 3), st.booleans())
def test_hash_is_shared_by_the_symmetries(layout: Layout, turns: int, mirror: bool) -> None:
    grid = np.array([list(line) for line in layout.to_text().split("\n")])
    turned = np.rot90(grid, turns)
    turned = turned[:, ::-1] if mirror else turned
    other = Layout.from_text("\n".join("".join(line) for line in turned))
    assert other.canonical_hash() == layout.canonical_hash()


def snake(side: int) -> str:
    """Return a corridor that winds through all cells of a square, the longest way there is."""
    grid = np.full((2 * side + 1, 2 * side + 1), "*")
    grid[1::2, 1:-1] = " "
    for row in range(1, side):
        grid[2 * row, -2 if row % 2 else 1] = " "
    return "\n".join("".join(line) for line in grid)


@pytest.mark.parametrize("side", [2, 30, 200])
def test_the_longest_way_is_counted_to_its_end(side: int) -> None:
    layout = Layout.from_text(snake(side))
    order = np.arange(side * side, dtype=np.int32).reshape(side, side)
    order[1::2] = order[1::2, ::-1]
    np.testing.assert_array_equal(layout.distances((0, 0)), order)
    # the same in the compiled loop
    maps, steps = build_maps([layout], 0), np.empty((side, side), np.int32)
    target, nowhere = order == 0, np.zeros((side, side), np.bool_)
    fill_distances(maps.horizontal[0], maps.vertical[0], target, nowhere, steps)
    np.testing.assert_array_equal(steps, order)


def test_a_layout_has_at_most_a_thousand_cells_on_a_side() -> None:
    wide = "*" * 2003
    with pytest.raises(UsageError, match="1 x 1001 cells: give at most 1000") as error:
        Layout.from_text("\n".join([wide, f"*{' ' * 2001}*", wide]))
    assert "\n" not in str(error.value)


def read(text: str) -> Layout | str:
    """Return a layout, or what is wrong with its text."""
    try:
        return Layout.from_text(text)
    except UsageError as error:
        return str(error)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(alphabet="* PGA\n\r\tx\u00e9", max_size=60))
def test_any_text_is_a_layout_or_one_line(text: str) -> None:
    layout = read(text)
    if isinstance(layout, Layout):
        assert Layout.from_text(layout.to_text()).to_text() == layout.to_text()
    else:
        assert len(layout.splitlines()) == 1


@seeded
@given(layouts, st.data())
def test_a_changed_character_is_another_layout_or_named(
    layout: Layout, data: st.DataObject
) -> None:
    lines = layout.to_text().split("\n")
    row = data.draw(st.integers(0, len(lines) - 1))
    col = data.draw(st.integers(0, len(lines[0]) - 1))
    char = data.draw(st.sampled_from("* PGAx"))
    lines[row] = lines[row][:col] + char + lines[row][col + 1 :]
    text = "\n".join(lines)
    again = read(text)
    if isinstance(again, Layout):
        # posts stand where a wall hangs on them, whatever the text says
        grids = [
            np.array([list(line) for line in each.split("\n")]) for each in (again.to_text(), text)
        ]
        for grid in grids:
            grid[::2, ::2] = "*"
        np.testing.assert_array_equal(*grids)
    else:
        assert again.startswith("line ")


def test_hash_tells_different_walls_apart() -> None:
    architecture = Architecture(4, 5, loops=0.3)
    made = [generate_layout(architecture, seed) for seed in range(100)]
    texts = {layout.to_text() for layout in made}
    assert len({layout.canonical_hash() for layout in made}) > 0.95 * len(texts)


@seeded
@given(layouts)
def test_distances_against_scipy(layout: Layout) -> None:
    rows, cols = layout.rows, layout.cols
    graph = lil_matrix((rows * cols, rows * cols))
    for row in range(rows):
        for col in range(cols):
            if row + 1 < rows and not layout.horizontal[row + 1, col]:
                graph[row * cols + col, (row + 1) * cols + col] = 1
            if col + 1 < cols and not layout.vertical[row, col + 1]:
                graph[row * cols + col, row * cols + col + 1] = 1
    expected = shortest_path(graph.tocsr(), directed=False, indices=0)
    np.testing.assert_array_equal(layout.distances((0, 0)).ravel(), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*****\n*   \n*****", "line 2 ends at column 4, line 1 at column 5"),
        ("*****\n*   *\n*** *", "line 3, column 4: the border is open"),
        ("*****\n*    \n*****", "line 2, column 5: the border is open"),
        ("*****\n*x  *\n*****", "line 2, column 2: unknown character 'x'"),
        ("*****\n*** *\n*****", "line 2, column 2: a '*' fills a cell"),
        ("*****\n* G *\n*****", "line 2, column 3: 'G' stands between cells"),
        (
            "*****\n*P*G*\n*****",
            "line 2, column 4: the goal cannot be reached from line 2, column 2",
        ),
        ("*****\n* * *\n*****", "line 2, column 4: the cell cannot be reached"),
        ("****\n*  *\n****", "a layout of 3 lines and 4 columns"),
        ("***\n* *", "a layout of 2 lines and 3 columns"),
    ],
)
def test_bad_layouts_name_line_and_column(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Layout.from_text(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_file_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.txt: No such file"):
        Layout.from_file(tmp_path / "absent.txt")
    path = tmp_path / "bad.txt"
    path.write_text("***\n*?*\n***")
    with pytest.raises(UsageError, match=r"bad\.txt: line 2, column 2"):
        Layout.from_file(path)
