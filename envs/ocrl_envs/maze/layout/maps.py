"""Layouts as arrays: what stands where, for the compiled inner loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.protocols import SEGMENT_STRIDE

MAY_START, MAY_GOAL, MAY_APPLE = 1, 2, 4


class Maps(NamedTuple):
    """Layouts as arrays: L of them, of R x C cells.

    Attributes:
        horizontal: int16 (L, R + 1, C), number of the wall run north of each cell, -1: open.
        vertical: int16 (L, R, C + 1), number of the wall run west of each cell, -1: open.
        horizontal_picture: int16 (L, R + 1, C, 2), number of the picture seen from the north and
            from the south, -1: none.
        vertical_picture: int16 (L, R, C + 1, 2), the same seen from the west and from the east.
        marks: uint8 (L, R, C), sum of MAY_START, MAY_GOAL and MAY_APPLE.
        seed: uint64 (L,), for all that belongs to a layout.
    """

    horizontal: npt.NDArray[np.int16]
    vertical: npt.NDArray[np.int16]
    horizontal_picture: npt.NDArray[np.int16]
    vertical_picture: npt.NDArray[np.int16]
    marks: npt.NDArray[np.uint8]
    seed: npt.NDArray[np.uint64]


def wall_runs(layout: Layout) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Number the straight runs of wall of a layout.

    Returns:
        The run of each wall, -1 where open, shaped as ``horizontal`` and ``vertical``.
    """
    walls = np.concatenate([layout.horizontal.ravel(), layout.vertical.T.ravel()])
    begins = walls.copy()
    begins[1:] &= ~walls[:-1]
    line_starts = np.concatenate(
        [
            np.arange(layout.rows + 1) * layout.cols,
            layout.horizontal.size + np.arange(layout.cols + 1) * layout.rows,
        ]
    )
    begins[line_starts] = walls[line_starts]
    runs = np.where(walls, np.cumsum(begins) - 1, -1).astype(np.int16)
    horizontal = runs[: layout.horizontal.size].reshape(layout.horizontal.shape)
    vertical = runs[layout.horizontal.size :].reshape(layout.vertical.T.shape).T
    return horizontal, np.ascontiguousarray(vertical)


def hang_pictures(
    layout: Layout, seed: int, num_pictures: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Choose the wall faces on which the pictures of a layout hang.

    Returns:
        Number of the picture on each face, -1 where none: (rows + 1, cols, 2) as seen from the
        north and the south, (rows, cols + 1, 2) as seen from the west and the east.
    """
    horizontal = np.full((*layout.horizontal.shape, 2), -1, np.int16)
    vertical = np.full((*layout.vertical.shape, 2), -1, np.int16)
    faces = []
    for side in (0, 1):
        inside = layout.horizontal.copy()
        inside[0 if side == 0 else -1] = False
        faces += [(0, int(r), int(c), side) for r, c in np.argwhere(inside)]
        inside = layout.vertical.copy()
        inside[:, 0 if side == 0 else -1] = False
        faces += [(1, int(r), int(c), side) for r, c in np.argwhere(inside)]
    rng = np.random.default_rng(seed)
    for number, face in enumerate(rng.permutation(len(faces))[:num_pictures]):
        kind, row, col, side = faces[face]
        (horizontal if kind == 0 else vertical)[row, col, side] = number
    return horizontal, vertical


def build_maps(layouts: Sequence[Layout], num_pictures: int) -> Maps:
    """Return layouts of one size as arrays.

    Raises:
        UsageError: a layout has more wall runs than segments have numbers.
    """
    runs = [wall_runs(layout) for layout in layouts]
    most = max(1 + max(int(run.max()) for run in pair) for pair in runs)
    if most > SEGMENT_STRIDE:
        raise UsageError(
            f"a layout has {most} runs of wall, at most {SEGMENT_STRIDE} can be told apart: "
            "use a smaller maze"
        )
    seeds = [int(layout.canonical_hash()[:16], 16) for layout in layouts]
    pictures = [
        hang_pictures(layout, seed, num_pictures)
        for layout, seed in zip(layouts, seeds, strict=True)
    ]
    return Maps(
        horizontal=np.stack([run[0] for run in runs]),
        vertical=np.stack([run[1] for run in runs]),
        horizontal_picture=np.stack([picture[0] for picture in pictures]),
        vertical_picture=np.stack([picture[1] for picture in pictures]),
        marks=np.stack([_marks(layout) for layout in layouts]),
        seed=np.array(seeds, np.uint64),
    )


def _marks(layout: Layout) -> npt.NDArray[np.uint8]:
    """Return which cells may hold what, uint8 (rows, cols)."""
    marks = np.zeros((layout.rows, layout.cols), np.uint8)
    for flag, chosen in (
        (MAY_START, layout.starts),
        (MAY_GOAL, layout.goals),
        (MAY_APPLE, layout.apples),
    ):
        for cell in chosen:
            marks[cell] |= flag
        if not chosen:
            marks |= flag
    return marks
