"""Random layouts: mazes of corridors, and rooms with doors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.rng import random_index

Walls = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


@kernel
def carve_maze(rows: int, cols: int, loops: float, state: npt.NDArray[np.uint64]) -> Walls:
    """Draw a maze in which every cell can be reached.

    A depth-first walk from a random cell gives long corridors and exactly one way between any
    two cells; taking out some of the walls that are left gives loops.

    Args:
        rows: number of cells from north to south.
        cols: number of cells from west to east.
        loops: share of the inner walls left by the walk that is taken out, in [0, 1].
        state: of the random numbers, uint64 (1,), advanced.

    Returns:
        Walls that run east, bool (rows + 1, cols), and walls that run south,
        bool (rows, cols + 1).
    """
    horizontal = np.ones((rows + 1, cols), np.bool_)
    vertical = np.ones((rows, cols + 1), np.bool_)
    seen = np.zeros((rows, cols), np.bool_)
    path = np.empty(rows * cols, np.int64)
    options = np.empty(4, np.int64)
    cell = random_index(state, rows * cols)
    seen[cell // cols, cell % cols] = True
    path[0] = cell
    length = 1
    while length > 0:
        row, col = path[length - 1] // cols, path[length - 1] % cols
        count = 0
        if row > 0 and not seen[row - 1, col]:
            options[count] = 0
            count += 1
        if col + 1 < cols and not seen[row, col + 1]:
            options[count] = 1
            count += 1
        if row + 1 < rows and not seen[row + 1, col]:
            options[count] = 2
            count += 1
        if col > 0 and not seen[row, col - 1]:
            options[count] = 3
            count += 1
        if count == 0:
            length -= 1
            continue
        way = options[random_index(state, count)]
        if way == 0:
            horizontal[row, col] = False
            row -= 1
        elif way == 1:
            vertical[row, col + 1] = False
            col += 1
        elif way == 2:
            horizontal[row + 1, col] = False
            row += 1
        else:
            vertical[row, col] = False
            col -= 1
        seen[row, col] = True
        path[length] = row * cols + col
        length += 1
    _open_loops(horizontal, vertical, loops, state)
    return horizontal, vertical


@kernel
def _open_loops(
    horizontal: npt.NDArray[np.bool_],
    vertical: npt.NDArray[np.bool_],
    loops: float,
    state: npt.NDArray[np.uint64],
) -> None:
    """Take out a share of the inner walls, drawn without replacement."""
    rows, cols = vertical.shape[0], horizontal.shape[1]
    inner = np.empty((2 * rows * cols, 3), np.int64)
    count = 0
    for row in range(1, rows):
        for col in range(cols):
            if horizontal[row, col]:
                inner[count, 0], inner[count, 1], inner[count, 2] = 0, row, col
                count += 1
    for row in range(rows):
        for col in range(1, cols):
            if vertical[row, col]:
                inner[count, 0], inner[count, 1], inner[count, 2] = 1, row, col
                count += 1
    for i in range(int(loops * count + 0.5)):
        j = i + random_index(state, count - i)
        kind, row, col = inner[j, 0], inner[j, 1], inner[j, 2]
        inner[j, 0], inner[j, 1], inner[j, 2] = inner[i, 0], inner[i, 1], inner[i, 2]
        if kind == 0:
            horizontal[row, col] = False
        else:
            vertical[row, col] = False


@kernel
def carve_rooms(rows: int, cols: int, largest: int, state: npt.NDArray[np.uint64]) -> Walls:
    """Divide a hall into rooms, again and again, by walls with a door or two.

    No room is narrower than two cells, if the hall is not.

    Args:
        rows: number of cells from north to south.
        cols: number of cells from west to east.
        largest: cells along the longer side of the largest room, at least 3.
        state: of the random numbers, uint64 (1,), advanced.

    Returns:
        Walls that run east, bool (rows + 1, cols), and walls that run south,
        bool (rows, cols + 1).
    """
    horizontal = np.zeros((rows + 1, cols), np.bool_)
    vertical = np.zeros((rows, cols + 1), np.bool_)
    horizontal[0], horizontal[rows] = True, True
    vertical[:, 0], vertical[:, cols] = True, True
    halls = np.empty((rows * cols, 4), np.int64)
    halls[0] = np.array([0, 0, rows, cols])
    count = 1
    while count > 0:
        count -= 1
        top, left, high, wide = halls[count]
        if max(high, wide) <= largest:
            continue
        if high > wide or (high == wide and random_index(state, 2) == 0):
            cut = top + 2 + random_index(state, high - 3)
            horizontal[cut, left : left + wide] = True
            for _ in range(2):
                horizontal[cut, left + random_index(state, wide)] = False
            halls[count] = np.array([top, left, cut - top, wide])
            halls[count + 1] = np.array([cut, left, top + high - cut, wide])
        else:
            cut = left + 2 + random_index(state, wide - 3)
            vertical[top : top + high, cut] = True
            for _ in range(2):
                vertical[top + random_index(state, high), cut] = False
            halls[count] = np.array([top, left, high, cut - left])
            halls[count + 1] = np.array([top, cut, high, left + wide - cut])
        count += 2
    return horizontal, vertical
