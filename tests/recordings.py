"""Recordings of the real DeepMind Lab, in the maze's own units; they are not part of the project.

Tests that use them carry ``needs_recordings`` and skip where they are absent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numba
import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "dmlab"
needs_recordings = pytest.mark.skipif(
    not FOLDER.exists(), reason="no recordings of DeepMind Lab in shared/dmlab"
)

LEVELS = {
    f"nav_maze_{kind}_0{number}": size
    for kind in ("static", "random_goal")
    for number, size in ((1, (5, 10)), (2, (9, 15)), (3, (13, 20)))
}
# the sky's one colour; and how far a wall's top is above the eye, in cells
SKY = (146, 222, 255)
WALL_ABOVE_EYE = 0.489
# the agent's box, a wall and the engine's clearance, and a little for the recordings' rounding
BOX = 0.1614


@dataclass(frozen=True)
class Piece:
    """Part of an episode of T decisions; lengths in cells, x to the east, y to the south.

    Attributes:
        level: name in DeepMind Lab.
        frames: uint8 (T, 64, 64, 3).
        actions: int64 (T,), taken after each frame.
        rewards: float32 (T,), of each action.
        position: float64 (T, 2).
        velocity: float64 (T, 2), cells per second.
        heading: float64 (T,), radians, 0 east, growing to the right.
    """

    level: str
    frames: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    heading: np.ndarray


@lru_cache
def pieces(level: str) -> list[Piece]:
    """Return all recordings of a level."""
    return [_read(path, level) for path in sorted(FOLDER.glob(f"{level}_*.npz"))]


def _read(path: Path, level: str) -> Piece:
    """Read a piece, less a first frame that the engine kept from the episode before."""
    with np.load(path) as file:
        record = {name: file[name] for name in file.files}
    place = record["position"][:, :2].astype(np.float64) / 100
    place[:, 1] = LEVELS[level][0] - place[:, 1]
    # one decision from rest leads 0.08 cells far
    first = int(np.abs(place[1] - place[0]).max() > 0.2)
    heading = -np.radians(record["rotation"][:, 1].astype(np.float64))
    ahead, left = record["velocity"][:, :2].astype(np.float64).T / 100
    cos, sin = np.cos(heading), np.sin(heading)
    inside = place % 1
    touches = np.abs(np.minimum(inside, 1 - inside) - BOX) < 2e-3
    place = np.where(touches, np.floor(place) + inside.clip(BOX, 1 - BOX), place)
    return Piece(
        level=level,
        frames=record["frames"][first:],
        actions=record["actions"][first:].astype(np.int64),
        rewards=record["rewards"][first:],
        position=place[first:],
        velocity=np.stack([cos * ahead + sin * left, sin * ahead - cos * left], 1)[first:],
        heading=heading[first:],
    )


@lru_cache
def seen_walls(level: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which walls the frames of a level show: 1 wall, 0 open, -1 nobody looked there.

    How much sky a column shows is how far the first wall is. Each ray counts for "open" at every
    place of a wall that it passes, and for "wall" at the one that can have stopped it.

    Returns:
        int (rows + 1, cols), walls that run east, and (rows, cols + 1), walls that run south.
    """
    rows, cols = LEVELS[level]
    poses, skies = [], []
    for piece in pieces(level):
        pose = np.c_[piece.position, piece.heading]
        turns = np.c_[100 * piece.position, np.degrees(piece.heading) % 360].round()
        views = np.sort(np.unique(turns, axis=0, return_index=True)[1])
        is_sky = np.abs(piece.frames[views].astype(np.int16) - np.int16(SKY)).max(-1) < 40
        skies.append(np.where(is_sky.all(1), 64, is_sky.argmin(1)))
        poses.append(pose[views])
    passed, stopped = _count_rays(np.concatenate(poses), np.concatenate(skies), rows, cols)
    walls = np.where((stopped > 2 * passed) & (stopped >= 3), 1, -1)
    walls[(passed > 2 * stopped) & (passed >= 3)] = 0
    return walls[0, :, :cols], walls[1, :rows]


@numba.njit
def _count_rays(poses, skies, rows, cols):
    """Return rays that passed and that were stopped, (2, rows + 1, cols + 1) each.

    The first axis is 0 for walls that run east, 1 for walls that run south.
    """
    passed = np.zeros((2, rows + 1, cols + 1), np.int64)
    stopped = np.zeros((2, rows + 1, cols + 1), np.int64)
    for i in range(len(poses)):
        x, y, heading = poses[i]
        cos, sin = math.cos(heading), math.sin(heading)
        for column in range(64):
            above = 32 - skies[i, column]
            if above <= 0:
                continue
            slope = (column + 0.5 - 32) / 32
            dx, dy = cos - slope * sin, sin + slope * cos
            near = WALL_ABOVE_EYE * 32 / (above + 0.7) if above < 32 else 0.0
            far = WALL_ABOVE_EYE * 32 / (above - 0.7) if above > 0.7 else np.inf
            stops, stop = 0, (0, 0, 0, 0.0)
            for way in range(2):
                start, step, last = (x, dx, cols) if way else (y, dy, rows)
                for line in range(last + 1):
                    if step == 0 or (line - start) / step <= 0:
                        continue
                    depth = (line - start) / step
                    along = y + depth * dy if way else x + depth * dx
                    cell = math.floor(along)
                    if cell < 0 or cell >= (rows if way else cols):
                        continue
                    row, col = (cell, line) if way else (line, cell)
                    from_end = min(along - cell, cell + 1 - along)
                    if depth < near - 0.05:
                        passed[way, row, col] += from_end > 0.04
                    elif depth <= far + 0.03:
                        stops += 1
                        stop = (way, row, col, from_end)
            if stops == 1 and stop[3] > 0.04 and above < 32:
                stopped[stop[0], stop[1], stop[2]] += 1
    return passed, stopped
