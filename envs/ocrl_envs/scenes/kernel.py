"""Compilation of the ray caster, cached on disk, and vectors for it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ocrl_envs.kernel import compiler

Vector = tuple[float, float, float]

# Everything that keeps infinities and NaN as they are.
FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}

kernel = compiler(Path(__file__).parent, fastmath=FAST)


@kernel
def vector(values: npt.NDArray[np.float64]) -> Vector:
    """Return an array of three numbers as a vector."""
    return values[0], values[1], values[2]


@kernel
def dot(a: Vector, b: Vector) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def add(a: Vector, b: Vector, factor: float) -> Vector:
    """Return a + factor * b."""
    return a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2]


@kernel
def scale(a: Vector, factor: float) -> Vector:
    """Return factor * a."""
    return factor * a[0], factor * a[1], factor * a[2]


@kernel
def multiply(a: Vector, b: Vector) -> Vector:
    """Return the product of each component."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@kernel
def mix(a: Vector, b: Vector, share: float) -> Vector:
    """Return ``a`` at share 0, ``b`` at share 1."""
    return add(scale(a, 1.0 - share), b, share)


@kernel
def unit(a: Vector) -> Vector:
    """Return a vector of the same direction and length 1."""
    return scale(a, 1.0 / math.sqrt(dot(a, a)))
