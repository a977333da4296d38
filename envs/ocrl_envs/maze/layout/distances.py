"""Shortest ways from cell to cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel

# east, south, west, north, as (row, column): the order in which the heading grows
WAYS = ((0, 1), (1, 0), (0, -1), (-1, 0))


@kernel
def is_open(
    horizontal: npt.NDArray[np.int16], vertical: npt.NDArray[np.int16], row: int, col: int, way: int
) -> bool:
    """Return whether no wall stands on the side of a cell that ``WAYS[way]`` points to."""
    if way == 0:
        return bool(vertical[row, col + 1] < 0)
    if way == 1:
        return bool(horizontal[row + 1, col] < 0)
    if way == 2:
        return bool(vertical[row, col] < 0)
    return bool(horizontal[row, col] < 0)


@kernel
def fill_distances(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    targets: npt.NDArray[np.bool_],
    blocked: npt.NDArray[np.bool_],
    steps: npt.NDArray[np.int32],
) -> None:
    """Write how many steps between cells lead from each cell to the nearest target.

    Args:
        horizontal: int16 (rows + 1, cols), wall runs, -1: open.
        vertical: int16 (rows, cols + 1), wall runs, -1: open.
        targets: bool (rows, cols).
        blocked: bool (rows, cols), cells that no way leads through.
        steps: int32 (rows, cols), written; -1: no way.
    """
    rows, cols = steps.shape
    queue = np.empty(rows * cols, np.int64)
    first, last = 0, 0
    for row in range(rows):
        for col in range(cols):
            steps[row, col] = -1
            if targets[row, col]:
                steps[row, col] = 0
                queue[last] = row * cols + col
                last += 1
    while first < last:
        row, col = queue[first] // cols, queue[first] % cols
        first += 1
        for way in range(4):
            if not is_open(horizontal, vertical, row, col, way):
                continue
            down, right = row + WAYS[way][0], col + WAYS[way][1]
            if steps[down, right] < 0 and not blocked[down, right]:
                steps[down, right] = steps[row, col] + 1
                queue[last] = down * cols + right
                last += 1
