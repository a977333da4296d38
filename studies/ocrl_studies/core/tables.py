"""Tables of ready-made cells: for the terminal, for a page, for a CSV file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box, table
from rich.console import Console

from ocrl.files import whole_file
from ocrl.reading import parsing, read_rows

ADVICE = "move it away: the report leaves out the curve"


class Table(NamedTuple):
    """Titles of the columns, and the rows under them."""

    header: list[str]
    rows: list[list[str]]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, the first column left-aligned."""
    printed = table.Table(box=box.SIMPLE)
    for i, title in enumerate(header):
        printed.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        printed.add_row(*row)
    # A pipe has no width of its own, and a table is better cut by its reader than by us.
    Console(width=None if sys.stdout.isatty() else 160).print(printed)


def write_rows(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV, with the columns of all of them, whole or not at all."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with whole_file(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_curve(path: str | Path, score: str) -> tuple[list[float], list[float]]:
    """Return (environment steps, values) of a score in a run's ``progress.csv``."""
    rows = [row for row in read_rows(path, "learning curve", ADVICE) if row.get(score)]
    with parsing(path, "learning curve", ADVICE):
        return [float(row["step"]) for row in rows], [float(row[score]) for row in rows]
