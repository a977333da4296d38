"""Settings of the engine and of a level, checked before the engine sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocrl_envs.dmlab.levels import level_path
from ocrl_envs.errors import UsageError

NUMBERS = ("episodeLengthSeconds", "mixerSeed")
"""Settings that the engine reads as numbers; with anything else it ends the process."""

HELD_OUT_LEVELS = ("contributed/dmlab30/rooms_collect_good_objects_test",)
"""Levels that the engine opens only where it is told that nobody trains on them."""


def engine_settings(
    level: str, settings: Mapping[str, Any], height: int, width: int, mixer_seed: int | None
) -> dict[str, Any]:
    """Return all settings of a level.

    Args:
        level: one of our names, or DeepMind Lab's path.
        settings: the user's own, which come before the defaults.
        height: of the frames, in pixels.
        width: of the frames, in pixels.
        mixer_seed: mixed into every seed; None: the engine's own.

    Raises:
        UsageError: a setting should be a number.

    Example:
        >>> engine_settings("nav_maze_1", {"episodeLengthSeconds": 30}, 64, 64, None)
        {'minimalUI': True, 'episodeLengthSeconds': 30, 'width': 64, 'height': 64}
    """
    for name in NUMBERS:
        if name in settings and not _is_number(settings[name]):
            raise UsageError(
                f"settings.{name}={settings[name]!r}: DeepMind Lab reads a number here, and ends "
                "the process otherwise"
            )
    checked: dict[str, Any] = {"minimalUI": True}
    if level_path(level) in HELD_OUT_LEVELS:
        checked["allowHoldOutLevels"] = True
    checked |= {**settings, "width": width, "height": height}
    if mixer_seed is not None:
        checked["mixerSeed"] = mixer_seed
    return checked


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)
