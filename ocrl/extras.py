"""Extras: what the package can do once more is installed, each with the packages that it brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import requires
from importlib.util import find_spec


def extra_of(module: str) -> str | None:
    """Return the extra of the package that brings a module; None if none does.

    >>> extra_of("lightning.pytorch"), extra_of("json")
    ('pretrain', None)
    """
    package = module.partition(".")[0]
    for requirement in requires("ocrl") or ():
        match = re.match(r"([\w-]+).*; extra == ['\"](\w+)['\"]", requirement)
        if match and match[1].replace("-", "_") == package and match[2] not in ("dev", "lab"):
            return match[2]
    return None


def check_module(name: str) -> None:
    """Raise ModuleNotFoundError, with the extra that brings it, if a module is not installed."""
    if find_spec(name) is None:
        raise ModuleNotFoundError(_advice(name), name=name)


@contextmanager
def name_extras() -> Iterator[None]:
    """Let imports that fail say which extra brings what they miss.

    >>> with name_extras():
    ...     raise ModuleNotFoundError(name="lightning")
    Traceback (most recent call last):
    ModuleNotFoundError: lightning is not installed: pip install 'ocrl[pretrain]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or extra_of(error.name) is None:
            raise
        raise ModuleNotFoundError(_advice(error.name), name=error.name) from None


def _advice(module: str) -> str:
    package = module.partition(".")[0]
    return f"{package} is not installed: pip install 'ocrl[{extra_of(package)}]'"
