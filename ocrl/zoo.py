"""The zoo: encoders by name, each made by a small function that derives what follows from what.

An encoder joins the zoo by one line in its own file::

    @register_encoder
    def my_encoder(*, image_size: tuple[int, int] = (64, 64), num_slots: int = 7) -> MyEncoder:
        ...
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ocrl.encoder import Encoder
from ocrl.errors import UsageError, nearest

F = TypeVar("F", bound=Callable[..., Encoder])

TARGET = "ocrl.create_encoder"
"""What a configuration calls `create_encoder`."""

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

    >>> encoder = create_encoder("slotcontrast", image_size=(64, 64), num_slots=7)
    >>> encoder.num_tokens, encoder.token_dim
    (7, 64)

    Args:
        name: one of `list_encoders`.
        **arguments: plain values that the function of that name takes, such as
            ``image_size=(64, 64)`` and ``num_slots=7``; what is not given has its default.

    Raises:
        UsageError: there is no such encoder, or it does not take these arguments.
    """
    function = find_encoder(name)
    plain = {key: _plain(value) for key, value in arguments.items()}
    unknown = [key for key in plain if key not in inspect.signature(function).parameters]
    if unknown:
        known = list(inspect.signature(function).parameters)
        raise UsageError(
            f"encoder {name!r} takes no {unknown[0]!r:.100}: {nearest(unknown[0], known)}"
        )
    encoder = function(**plain)
    encoder.config = {"_target_": TARGET, "name": name, **plain}
    return encoder


def find_encoder(name: str) -> Callable[..., Encoder]:
    """Return the function that makes the encoder of a name.

    Raises:
        UsageError: there is no such encoder.
    """
    _import_encoders()
    if not isinstance(name, str) or name not in _FUNCTIONS:
        raise UsageError(f"there is no encoder {name!r:.100}: {nearest(str(name), _FUNCTIONS)}")
    return _FUNCTIONS[name]


def _plain(value: Any) -> Any:
    """Return lists and dictionaries of any kind, such as a configuration's, as plain ones."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _import_encoders() -> None:
    """Import every file of ``ocrl/encoders``, which registers what is in it."""
    package = importlib.import_module("ocrl.encoders")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"ocrl.encoders.{module.name}")
