"""Encoders from files that may name classes of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocrl.checkpoints import load_encoder
from ocrl.encoder import Encoder


def load_trusted(path: str | Path, trusted: Sequence[str]) -> Encoder:
    """Load an encoder whose class is the library's, or of a package of one's own.

    Args:
        path: see `ocrl.load_encoder`.
        trusted: such packages, such as ``["mypackage"]``; what a command is told.

    Raises:
        UsageError: see `ocrl.load_encoder`.
    """
    return load_encoder(path, trusted=prefixes("ocrl", trusted))


def prefixes(own: str, trusted: Sequence[str]) -> tuple[str, ...]:
    """Return with what the names of classes begin that a file may ask for.

    >>> prefixes("ocrl_agents", ["mypackage"])
    ('ocrl_agents.', 'mypackage.')

    Args:
        own: package of the library whose classes a file of that kind names.
        trusted: those of one's own.
    """
    return tuple(f"{name}." for name in (own, *trusted))
