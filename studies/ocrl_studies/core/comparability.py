"""Comparable runs: what may not differ between those that stand in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ocrl.errors import UsageError
from ocrl_studies.core.record import Record

SEEDS = ("seed", "data.seed")


def check_comparable(settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError unless all runs have the same settings.

    Args:
        settings: for each run, what must not differ, such as level, steps, evaluation mode.

    >>> check_comparable({"a": {"level": 1, "steps": 9}, "b": {"level": 2, "steps": 9}})
    Traceback (most recent call last):
    ocrl.errors.UsageError: runs with different level do not belong in one table: a has 1, b
    has 2; leave one of them out
    """
    names = list(settings)
    for name in names[1:]:
        ours, theirs = settings[names[0]], settings[name]
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                raise UsageError(
                    f"runs with different {key} do not belong in one table: {names[0]} has "
                    f"{ours.get(key)}, {name} has {theirs.get(key)}; leave one of them out"
                )


def check_records(records: Sequence[Record], shared: Sequence[str]) -> None:
    """Raise UsageError unless all cells of a table belong there, and those of an encoder together.

    Args:
        records: of the cells.
        shared: parts of the configuration that may not differ, whatever the encoder.
    """
    check_comparable({record.name: shared_settings(record, shared) for record in records})
    by_encoder: dict[str, dict[str, dict[str, Any]]] = {}
    for record in records:
        own = {k: v for k, v in record.settings.items() if k not in SEEDS}
        by_encoder.setdefault(record.settings["encoder.name"], {})[record.name] = own
    for cells in by_encoder.values():
        check_comparable(cells)


def shared_settings(record: Record, shared: Sequence[str]) -> dict[str, Any]:
    """Return the settings that all cells have in common, but for seeds."""
    return {
        name: value
        for name, value in record.settings.items()
        if name not in SEEDS and f"{name}.".startswith(tuple(f"{part}." for part in shared))
    }
