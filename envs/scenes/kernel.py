"""Compilation of the ray caster, cached on disk, and vectors for it."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., Any])
Vector = tuple[float, float, float]

# Everything that keeps infinities and NaN as they are.
FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}

# numba gives its settings no types
config: Any = numba.config


def _cache_directory() -> str:
    """Return a folder for compiled code that changes with any source file of this package.

    Numba would otherwise go on calling the old code of a function in another file.
    """
    package = Path(__file__).parent
    sources = b"".join(source.read_bytes() for source in sorted(package.glob("*.py")))
    base = os.environ.get("NUMBA_CACHE_DIR") or str(package / "__pycache__")
    return os.path.join(base, f"scenes-{hashlib.sha256(sources).hexdigest()[:16]}")


_CACHE_DIRECTORY = _cache_directory()


def kernel(function: Function) -> Function:
    """Compile a function to machine code, without the interpreter lock."""
    others = config.CACHE_DIR
    config.CACHE_DIR = _CACHE_DIRECTORY
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)(function)
    finally:
        config.CACHE_DIR = others
    return cast(Function, compiled)


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
