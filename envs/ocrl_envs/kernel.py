"""Compilation of inner loops, cached on disk."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

try:
    import numba
    from numba.core import event
except ModuleNotFoundError as error:
    advice = "numba is not installed: pip install 'ocrl[maze]'"
    raise ModuleNotFoundError(advice, name=error.name) from error

Function = TypeVar("Function", bound=Callable[..., Any])

# numba gives its settings no types
config: Any = numba.config
register: Any = event.register


COMPILATION = "numba:compile"
"""What numba calls it among the events that it tells of."""


class Notice(event.Listener):
    """A line before the first compilation of a package, which takes a while and is silent.

    Args:
        package: its folder.
    """

    def __init__(self, package: Path) -> None:
        self._package = package
        self._is_said = False

    def on_start(self, event_: Any) -> None:
        """Say that a function of the package is about to be compiled, once."""
        source = Path(event_.data["dispatcher"].py_func.__code__.co_filename)
        if self._package in source.parents and not self._is_said:
            self._is_said = True
            name = self._package.name
            print(f"compiling the {name}, once: about 20 s on a free core", file=sys.stderr)

    def on_end(self, event_: Any) -> None:
        """Nothing to say."""


class Compile(Protocol):
    """Makes machine code of a function."""

    def __call__(self, function: Function) -> Function:
        """Return the compiled function, of the same signature."""


def compiler(package: Path, **options: Any) -> Compile:
    """Return what compiles the functions of a package, without the interpreter lock.

    Numba recompiles a function when its own file changes, and not when a function that it calls, in
    another file, does: after an update old and new code would be mixed. So compiled code is kept in
    a folder whose name changes with any source file of the package.

    Args:
        package: folder of the package.
        **options: further ones of ``numba.njit``.
    """
    sources = b"".join(source.read_bytes() for source in sorted(package.rglob("*.py")))
    base = os.environ.get("NUMBA_CACHE_DIR") or str(package / "__pycache__")
    folder = os.path.join(base, f"{package.name}-{hashlib.sha256(sources).hexdigest()[:16]}")
    register(COMPILATION, Notice(package))
    jit = numba.njit(cache=True, nogil=True, error_model="numpy", **options)

    def compile_function(function: Function) -> Function:
        others = config.CACHE_DIR
        config.CACHE_DIR = folder
        try:
            return cast(Function, jit(function))
        finally:
            config.CACHE_DIR = others

    return compile_function
