"""What data on disk was made with, so that it is not taken for something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocrl.errors import UsageError
from ocrl.files import PARTIAL, write_text
from ocrl.reading import read_object


def note(path: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings that data was made with; what a process that was killed left of them goes.

    Args:
        path: JSON file beside the data.
        settings: anything that JSON can hold.
    """
    for leftover in path.parent.glob(f".{path.stem}.*{PARTIAL}*"):
        leftover.unlink(missing_ok=True)
    write_text(path, json.dumps(settings, indent=2))


def check(path: Path, settings: Mapping[str, Any], data: str, advice: str) -> None:
    """Raise UsageError if data was made with other settings than those asked for.

    Args:
        path: as `note` wrote it; data without it came from elsewhere, and is taken as it is.
        settings: asked for.
        data: its name, for the error.
        advice: what to do instead, likewise.
    """
    if not path.exists():
        return
    before = read_object(path, f"settings that {data} were made with,", advice)
    now = json.loads(json.dumps(settings))
    for key in sorted(now.keys() | before.keys()):
        if before.get(key) != now.get(key):
            raise UsageError(
                f"{data} were made with {key}={before.get(key)}, asked for is {now.get(key)}: "
                f"{advice}"
            )
