"""A cell of a study: the steps of one encoder and one seed, of which those done are skipped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrl_studies.command_line import USAGE_ERRORS
from ocrl_studies.core.record import open_record


@dataclass(frozen=True)
class Step:
    """A part of the work.

    Attributes:
        name: under which the record has how long it took.
        is_done: says whether it was done before.
        run: does it.
    """

    name: str
    is_done: Callable[[], bool]
    run: Callable[[], object]


@dataclass(frozen=True)
class Cell:
    """An encoder and a seed.

    Attributes:
        name: of the cell.
        record: file of its record.
        settings: that may not change between two starts, by dotted name.
        device: that it runs on.
        places: where what it makes is, by the names that the record has for them.
        steps: what is to be done, in order.
    """

    name: str
    record: Path
    settings: Mapping[str, Any]
    device: str
    places: Mapping[str, Path]
    steps: Iterable[Step]


def run_cell(cell: Cell) -> None:
    """Do what is missing.

    Bad input stops this cell alone: the others go on, and the report names those that are missing.
    """
    try:
        record = open_record(cell.record, cell.name, cell.settings, cell.device)
    except USAGE_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return
    for name, place in cell.places.items():
        record.keep_place(name, place)
    record.save()
    with record.stopped_by_bad_input():
        for step in cell.steps:
            if not step.is_done():
                with record.timed(step.name):
                    step.run()
