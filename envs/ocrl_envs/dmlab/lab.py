"""DeepMind Lab, started, or one line that says why it cannot be."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from ocrl_envs.dmlab.level_cache import LevelCache
from ocrl_envs.dmlab.levels import GENERATED_LEVELS, LEVELS, level_path, nearest
from ocrl_envs.errors import UsageError

REMEDIES = {
    "dm_env": "pip install dm-env",
    "six": "pip install six",
    "pkg_resources": "pip install 'setuptools<81'",
    "imp": "Python 3.12 and later have no such module: build deepmind_lab for an older Python",
    "numpy": "pip install numpy",
}
"""What the official wheel imports but does not ask pip for, and how to come by it."""


def check_installed(level: str) -> None:
    """Raise UsageError, with the command that does without, if ``deepmind_lab`` is absent."""
    if importlib.util.find_spec("deepmind_lab") is not None:
        return
    twin = {path: name for name, path in LEVELS.items()}.get(level_path(level))
    alternative = "has this level too" if twin else "has no such level, but for instance"
    raise UsageError(
        "deepmind_lab is not installed: docs/dmlab.md says how to build it; the embedded maze "
        f"{alternative}: env={twin or 'nav_maze_random_goal_1'} simulator=maze"
    )


def open_lab(
    level: str,
    observations: Sequence[str],
    settings: Mapping[str, Any],
    renderer: str,
    level_cache: LevelCache | None,
) -> Any:
    """Return a ``deepmind_lab.Lab``.

    Args:
        level: one of our names, or DeepMind Lab's path.
        observations: what the engine shall show, by its own names.
        settings: of the engine and the level; the engine wants them all as text.
        renderer: ``software`` or ``hardware``.
        level_cache: compiled maps.

    Raises:
        UsageError: ``deepmind_lab`` does not import, or does not know the level, an observation or
            a setting, or cannot draw in that way.
    """
    deepmind_lab = _import_module()
    config = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in settings.items()
    }
    try:
        return deepmind_lab.Lab(
            level_path(level),
            list(observations),
            config=config,
            renderer=renderer,
            level_cache=level_cache,
        )
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"DeepMind Lab cannot open level={level}: {reason}; {_advice(level, reason, renderer)}"
        ) from error


def _import_module() -> Any:
    """Import ``deepmind_lab``, or say what it lacks."""
    try:
        return importlib.import_module("deepmind_lab")
    except ImportError as error:
        remedy = REMEDIES.get(error.name or "", "docs/dmlab.md says what it needs")
        raise UsageError(
            f"deepmind_lab is installed but does not import: {' '.join(str(error).split())}; "
            f"{remedy}"
        ) from error


def _advice(level: str, reason: str, renderer: str) -> str:
    """Say what to do about a refusal."""
    if "Level not found" in reason:
        known = LEVELS | GENERATED_LEVELS
        return (
            "give a name from docs/dmlab.md or a path below game_scripts/levels, the nearest is "
            f"{nearest(level, [*known, *known.values()])}"
        )
    if "Unknown observation" in reason:
        return "leave that observation out for this level"
    if "setting" not in reason and renderer == "hardware":
        return "it may be without renderer=hardware: take renderer=software, which every build has"
    return "check the settings that this level takes"
