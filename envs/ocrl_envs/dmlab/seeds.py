"""Seeds of the engine that come back, so that maps in the level cache are found again."""

from __future__ import annotations

import hashlib


def texture_seed(maze_text: str, number: int) -> int:
    """Return the seed of that number for a maze text, in [0, 2**31): the same in every process.

    Example:
        >>> texture_seed("maze", 0) == texture_seed("maze", 0), texture_seed("maze", 1) < 2**31
        (True, True)
        >>> len({texture_seed(text, n) for text in ("maze", "other maze") for n in (0, 1)})
        4
    """
    digest = hashlib.sha256(f"{number} {maze_text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
