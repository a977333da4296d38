"""What the library raises when the input, not the code, is at fault."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_LIST = 50
"""Names that are listed where none is close."""


class UsageError(ValueError):
    """Bad input: one line that says what was wrong, what was expected and what to do.

    The scripts print the line and stop; they show no traceback for it.
    """


def nearest(name: object, choices: Iterable[str]) -> str:
    """Say which valid names are closest to a wrong one, which may be no name at all.

    >>> nearest("nav_maze_9", ["nav_maze_1", "nav_maze_2", "seekavoid_arena_1"])
    'did you mean nav_maze_2 or nav_maze_1?'
    >>> nearest("x", ["a", "b"])
    'choose from a, b'
    """
    choices = sorted(set(choices))
    cutoff = 0.0 if len(choices) > LONGEST_LIST else 0.6
    close = difflib.get_close_matches(str(name), choices, n=3, cutoff=cutoff)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"choose from {', '.join(choices)}"
