"""The zoo: encoders by name, each made by a small function that derives what follows from what.

An encoder joins the zoo by one line in its own file::

    @register_encoder
    def my_encoder(*, image_size: tuple[int, int] = (64, 64), num_slots: int = 7) -> MyEncoder:
        ...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

from ocrl.encoder import Encoder
from ocrl.errors import UsageError, nearest

F = TypeVar("F", bound=Callable[..., Encoder])

_FUNCTIONS: dict[str, Callable[..., Encoder]] = {}


def register_encoder(function: F) -> F:
    """Put a function that makes an encoder into the zoo, under the function's own name.

    Raises:
        ValueError: another function has that name already.
    """
    name = function.__name__
    if name in _FUNCTIONS and _FUNCTIONS[name].__module__ != function.__module__:
        raise ValueError(f"the zoo has an encoder {name!r} already: choose another name")
    _FUNCTIONS[name] = function
    return function


def list_encoders() -> list[str]:
    """Return the names of all encoders, in alphabetical order."""
    _import_encoders()
    return sorted(_FUNCTIONS)


def create_encoder(name: str, **arguments: Any) -> Encoder:
    """Make an encoder, with random weights but for a backbone that is pretrained.

    Args:
        name: one of `list_encoders`.
        **arguments: of the function of that name, such as ``image_size=(64, 64)`` and
            ``num_slots=7``; what is not given has its default.

    Raises:
        UsageError: there is no such encoder, or it does not take these arguments.
    """
    _import_encoders()
    if name not in _FUNCTIONS:
        raise UsageError(f"there is no encoder {name!r}: {nearest(name, _FUNCTIONS)}")
    try:
        return _FUNCTIONS[name](**arguments)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise UsageError(f"encoder {name!r}: {error}") from None


def _import_encoders() -> None:
    """Import every file of ``ocrl/encoders``, which registers what is in it."""
    package = importlib.import_module("ocrl.encoders")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"ocrl.encoders.{module.name}")
