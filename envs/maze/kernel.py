"""Compilation of the simulator's inner loops."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def _cache_directory() -> str:
    """Return a folder for compiled code that changes with any source file of this package.

    Numba recompiles a function when its own file changes, and not when a function it calls,
    in another file, does: after an update old and new code would be mixed.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    base = os.environ.get("NUMBA_CACHE_DIR") or str(package / "__pycache__")
    return os.path.join(base, f"maze-{digest.hexdigest()[:16]}")


# numba gives its settings no types
config: Any = numba.config
_CACHE_DIRECTORY = _cache_directory()


def kernel(function: Function) -> Function:
    """Compile a function to machine code, cached on disk, without the interpreter lock."""
    others = config.CACHE_DIR
    config.CACHE_DIR = _CACHE_DIRECTORY
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = others
    return cast(Function, compiled)
