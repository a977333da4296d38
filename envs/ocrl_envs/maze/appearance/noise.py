"""Tiling noise and shapes, the raw material of the textures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.floating[Any]]


def coordinates(size: int) -> tuple[Plane, Plane]:
    """Return the (row, column) coordinates of the texel centres in [0, 1), float32 (size, size)."""
    line = ((np.arange(size) + 0.5) / size).astype(np.float32)
    rows, cols = np.meshgrid(line, line, indexing="ij")
    return rows, cols


def value_noise(rng: np.random.Generator, size: int, periods: tuple[int, int]) -> Plane:
    """Return smooth noise in [0, 1] that tiles, float32 (size, size).

    Args:
        rng: the source of the lattice values.
        size: texels per side.
        periods: lattice cells along rows and columns.
    """
    out: Plane = rng.random(periods, dtype=np.float32)
    for axis, period in enumerate(periods):
        place = (np.arange(size, dtype=np.float32) + 0.5) / size * period
        low = place.astype(np.int64)
        weight = place - low
        weight = weight * weight * (3 - 2 * weight)
        weight = weight[:, None] if axis == 0 else weight[None, :]
        first = np.take(out, low % period, axis)
        out = first + (np.take(out, (low + 1) % period, axis) - first) * weight
    return out.astype(np.float32)


def fractal_noise(
    rng: np.random.Generator, size: int, periods: tuple[int, int], octaves: int = 4
) -> Plane:
    """Return noise in [0, 1] with detail at several scales that tiles, float32 (size, size)."""
    total = np.zeros((size, size), np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        scale = 2**octave
        total += weight * value_noise(rng, size, (periods[0] * scale, periods[1] * scale))
        sum_of_weights += weight
        weight *= 0.5
    return total / np.float32(sum_of_weights)


def cells(
    rng: np.random.Generator, size: int, grid: tuple[int, int], jitter: float
) -> tuple[npt.NDArray[np.int64], Plane, Plane]:
    """Cut the square into cells around jittered points; the cut tiles.

    Worley, "A cellular texture basis function", 1996.

    Args:
        rng: the source of the points.
        size: texels per side.
        grid: points along rows and columns.
        jitter: how far points leave their places, 0 (a lattice) to 1.

    Returns:
        Number of the cell of each texel, distance to its point, and distance to the edge towards
        the next cell, in units of the side; all (size, size).
    """
    rows, cols = coordinates(size)
    number = np.arange(grid[0] * grid[1])
    shift = (rng.random((len(number), 2), dtype=np.float32) - 0.5) * np.float32(jitter)
    odd = (number // grid[1]) % 2 * 0.5
    point_rows = ((number // grid[1] + 0.5 + shift[:, 0]) / grid[0]).astype(np.float32)
    point_cols = ((number % grid[1] + 0.25 + odd + shift[:, 1]) / grid[1]).astype(np.float32)
    gap_rows = np.abs(rows[:, :1] - point_rows)
    gap_cols = np.abs(cols[0][:, None] - point_cols)
    gap_rows = np.minimum(gap_rows, 1 - gap_rows)
    gap_cols = np.minimum(gap_cols, 1 - gap_cols)
    squares = gap_rows[:, None] ** 2 + gap_cols[None, :] ** 2
    nearest = np.argmin(squares, axis=-1)
    two = np.sqrt(np.partition(squares, 1, axis=-1)[..., :2])
    return nearest, two[..., 0], (two[..., 1] - two[..., 0]) / 2
