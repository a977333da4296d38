"""Shifts: which one factor of a level differs from what was trained on."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.task.levels import Level

SHIFTS = ("layout", "size", "texture", "objects", "count", "all")


@dataclass(frozen=True)
class Condition:
    """Where the parts of a level are taken from.

    Attributes:
        level: the level, larger under a shift of size.
        layouts: split of the layouts.
        textures: "train" or "test" looks.
        objects: "train" or "test" kinds of things.
        counts: "train" or "test" numbers of things.
    """

    level: Level
    layouts: str
    textures: str = "train"
    objects: str = "train"
    counts: str = "train"


def condition(level: Level, split: str, shift: str | None) -> Condition:
    """Return where a level's parts come from under a shift.

    Args:
        level: as trained on.
        split: of the layouts, where the shift does not say "test".
        shift: None, "layout" (test layouts), "size" (larger test layouts), "texture" (test
            looks), "objects" (held-out kinds), "count" (half as many things or half as many again;
            after ECRL, Haramati et al. 2024) or "all" of these.

    Raises:
        UsageError: there is no such shift.
    """
    if shift is None:
        return Condition(level, split)
    if shift not in SHIFTS:
        near = difflib.get_close_matches(shift, SHIFTS, n=1, cutoff=0.0)[0]
        raise UsageError(
            f"no shift {shift!r}: choose {near!r} or another of {list(SHIFTS)}, or None"
        )
    larger = replace(level, architecture=level.larger)
    return Condition(
        level=larger if shift in ("size", "all") else level,
        layouts="test" if shift in ("layout", "size", "all") else split,
        textures="test" if shift in ("texture", "all") else "train",
        objects="test" if shift in ("objects", "all") else "train",
        counts="test" if shift in ("count", "all") else "train",
    )
