"""Episodes on disk: what one agent played under one condition, in one JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocrl.files import write_text
from ocrl.reading import check_fields, read_json
from ocrl_agents.evaluation import Episode

FIELDS = {
    "seed": int,
    "options": dict[str, Any],
    "return": float,
    "length": int,
    "scalars": dict[str, float | None],
}
"""What is kept of an episode, and of which type."""


def save_episodes(path: str | Path, episodes: Sequence[Episode]) -> None:
    """Write episodes to one file, whole or not at all.

    Args:
        path: where to; its folder is made. A file of that name is replaced.
        episodes: what is written; a score that is nan becomes null.
    """
    rows = [
        {
            "seed": episode.seed,
            "options": dict(episode.options),
            "return": episode.episode_return,
            "length": episode.length,
            "scalars": {k: None if math.isnan(v) else v for k, v in episode.scalars.items()},
        }
        for episode in episodes
    ]
    write_text(path, json.dumps(rows, allow_nan=False))


def load_episodes(path: str | Path) -> list[Episode]:
    """Read what `save_episodes` wrote.

    Raises:
        UsageError: if the file is missing or holds something else.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "layout.json"
    >>> episodes = [Episode(7, {"layout": 3}, 11.0, 900, {"success": 1.0})]
    >>> save_episodes(path, episodes)
    >>> load_episodes(path) == episodes
    True
    """
    advice = "delete the file, and play them again"
    rows = read_json(path, "episodes", advice)
    check_fields({"episodes": rows}, {"episodes": list[dict[str, Any]]}, str(path), advice)
    for row in rows:
        check_fields(row, FIELDS, str(path), advice)
    return [_episode(row) for row in rows]


def _episode(row: Mapping[str, Any]) -> Episode:
    scalars = {k: math.nan if v is None else float(v) for k, v in row["scalars"].items()}
    return Episode(row["seed"], row["options"], row["return"], row["length"], scalars)
