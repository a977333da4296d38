"""Layouts: which walls stand where, as arrays and as text."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError

Cell = tuple[int, int]

WALL = "*"
OPEN = " "
MAX_SIDE = 1000
"""Cells from north to south, or from west to east, that a text may have."""

LARGEST_FILE = 2**24
"""Bytes that a file of a layout may have, four times those of the largest."""

MARKS = {"P": "starts", "G": "goals", "A": "apples"}


@dataclass(frozen=True, eq=False)
class Layout:
    """Thin walls between square cells, and where things may be put.

    Rows run from north to south, columns from west to east. No marks mean: anywhere.

    Attributes:
        horizontal: bool (rows + 1, cols), walls along the north side of each cell.
        vertical: bool (rows, cols + 1), walls along the west side of each cell.
        starts: cells in which the agent may start.
        goals: cells in which the goal may be.
        apples: cells in which apples may be.
    """

    horizontal: npt.NDArray[np.bool_]
    vertical: npt.NDArray[np.bool_]
    starts: tuple[Cell, ...] = ()
    goals: tuple[Cell, ...] = ()
    apples: tuple[Cell, ...] = ()

    @property
    def rows(self) -> int:
        """Number of cells from north to south."""
        return len(self.vertical)

    @property
    def cols(self) -> int:
        """Number of cells from west to east."""
        return len(self.horizontal[0])

    @classmethod
    def from_text(cls, text: str) -> Self:
        r"""Read a layout from (2 rows + 1) lines of (2 cols + 1) characters.

        Cells are at odd lines and columns, walls between them; ``*`` is a wall, a blank is open,
        ``P`` marks a start, ``G`` a goal and ``A`` an apple.

        Raises:
            UsageError: the text is ragged, has an unknown character, an open border or more than
                `MAX_SIDE` cells on a side, or a cell cannot be reached. The message names line and
                column, counted from 1.

        Example:
            >>> layout = Layout.from_text("*****\n*P G*\n*****")
            >>> layout.rows, layout.cols, layout.goals
            (1, 2, ((0, 1),))
        """
        grid = _read_grid(text)
        walls = grid == WALL
        horizontal, vertical = walls[::2, 1::2].copy(), walls[1::2, ::2].copy()
        cells = grid[1::2, 1::2]
        marked = {
            name: tuple((int(r), int(c)) for r, c in np.argwhere(cells == mark))
            for mark, name in MARKS.items()
        }
        layout = cls(horizontal, vertical, **marked)
        _check_reachable(layout)
        return layout

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a layout from a text file; see ``from_text``.

        Raises:
            UsageError: the file is absent, or what ``from_text`` objects to, with the path.
        """
        try:
            if Path(path).exists() and not Path(path).is_file():
                raise OSError("it is no regular file")
            if (size := Path(path).stat().st_size) > LARGEST_FILE:
                raise OSError(f"it has {size} bytes, a layout has up to {LARGEST_FILE}")
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise UsageError(
                f"cannot read the layout {path}: {reason}; give the path of a text file in UTF-8"
            ) from error
        try:
            return cls.from_text(text)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error

    def to_text(self) -> str:
        r"""Return the text that ``from_text`` reads.

        Example:
            >>> print(Layout.from_text("*****\n*P G*\n*****").to_text())
            *****
            *P G*
            *****
        """
        grid = np.where(self._wall_grid(), WALL, OPEN)
        for mark, name in MARKS.items():
            for row, col in getattr(self, name):
                grid[2 * row + 1, 2 * col + 1] = mark
        return "\n".join("".join(line) for line in grid)

    def canonical_hash(self) -> str:
        """Return a hash, 64 hexadecimal digits, that the 8 symmetries of the walls share.

        Turning or mirroring the maze does not change it, marks do not count.
        """
        grid = self._wall_grid().astype(np.uint8)
        turned = [np.rot90(grid, k) for k in range(4)]
        forms = turned + [form.T for form in turned]
        first = min(bytes(f"{form.shape}", "ascii") + form.tobytes() for form in forms)
        return hashlib.sha256(first).hexdigest()

    def distances(self, cell: Cell) -> npt.NDArray[np.int32]:
        """Return the number of steps from each cell to ``cell``, int32 (rows, cols); -1: no way."""
        steps = np.full((self.rows, self.cols), -1, np.int32)
        steps[cell] = 0
        queue = deque([cell])
        while queue:
            row, col = queue.popleft()
            for wall, near in (
                (self.horizontal[row, col], (row - 1, col)),
                (self.horizontal[row + 1, col], (row + 1, col)),
                (self.vertical[row, col], (row, col - 1)),
                (self.vertical[row, col + 1], (row, col + 1)),
            ):
                if not wall and steps[near] < 0:
                    steps[near] = steps[row, col] + 1
                    queue.append(near)
        return steps

    def _wall_grid(self) -> npt.NDArray[np.bool_]:
        """Return where walls and the posts they hang on stand, bool (2 rows + 1, 2 cols + 1)."""
        grid = np.zeros((2 * self.rows + 1, 2 * self.cols + 1), np.bool_)
        grid[::2, 1::2] = self.horizontal
        grid[1::2, ::2] = self.vertical
        post = grid[::2, ::2]
        post[:, 1:] |= self.horizontal
        post[:, :-1] |= self.horizontal
        post[1:] |= self.vertical
        post[:-1] |= self.vertical
        return grid


def _read_grid(text: str) -> npt.NDArray[np.str_]:
    """Return the characters of a layout, checked one by one."""
    lines = [line.rstrip("\r") for line in text.strip("\n").split("\n")]
    width, height = len(lines[0]), len(lines)
    if width < 3 or height < 3 or width % 2 == 0 or height % 2 == 0:
        raise UsageError(
            f"a layout of {height} lines and {width} columns: both must be odd and at least 3, "
            "two per cell and one more"
        )
    if max(width, height) > 2 * MAX_SIDE + 1:
        raise UsageError(
            f"a layout of {height // 2} x {width // 2} cells: give at most {MAX_SIDE} on each side"
        )
    for row, line in enumerate(lines):
        if len(line) != width:
            raise UsageError(
                f"line {row + 1} ends at column {len(line)}, line 1 at column {width}: "
                "make all lines equally long"
            )
    grid = np.array([list(line) for line in lines])
    is_cell = np.zeros(grid.shape, np.bool_)
    is_cell[1::2, 1::2] = True
    is_border = np.ones(grid.shape, np.bool_)
    is_border[1:-1, 1:-1] = False
    wall, mark = grid == WALL, np.isin(grid, list(MARKS))
    fits = np.where(is_cell, mark, wall) | (grid == OPEN) & ~is_border
    for row, col in np.argwhere(~fits)[:1].tolist():
        _check_character(row, col, lines[row][col], height, width)
    return grid


def _check_character(row: int, col: int, char: str, height: int, width: int) -> None:
    """Raise UsageError if a character cannot stand at this line and column."""
    place = f"line {row + 1}, column {col + 1}"
    is_cell = row % 2 == 1 and col % 2 == 1
    is_border = row in (0, height - 1) or col in (0, width - 1)
    if char not in (WALL, OPEN, *MARKS):
        raise UsageError(
            f"{place}: unknown character {char!r}, expected '*' (wall), ' ' (open), "
            "'P' (start), 'G' (goal) or 'A' (apple)"
        )
    if is_border and char != WALL:
        raise UsageError(f"{place}: the border is open, put a '*' there")
    if is_cell and char == WALL:
        raise UsageError(
            f"{place}: a '*' fills a cell, but cells, at even lines and columns, must be open: "
            "walls stand between them"
        )
    if not is_cell and char in MARKS:
        raise UsageError(
            f"{place}: {char!r} stands between cells, move it to an even line and column"
        )


def _check_reachable(layout: Layout) -> None:
    """Raise UsageError if some cell cannot be reached from the others."""
    home = layout.starts[0] if layout.starts else (0, 0)
    steps = layout.distances(home)
    lost = [goal for goal in layout.goals if steps[goal] < 0]
    what = "the goal" if lost else "the cell"
    lost += [(int(row), int(col)) for row, col in np.argwhere(steps < 0)]
    if lost:
        row, col = lost[0]
        raise UsageError(
            f"line {2 * row + 2}, column {2 * col + 2}: {what} cannot be reached from line "
            f"{2 * home[0] + 2}, column {2 * home[1] + 2}: open a wall between them"
        )
