"""Everything that the cells of a comparison left on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocrl.errors import UsageError
from ocrl_studies.core.comparability import check_records
from ocrl_studies.core.record import Record
from ocrl_studies.segmentation.cell import ATTENTION, RECORD
from ocrl_studies.segmentation.plan import TRUTH
from ocrl_studies.segmentation.scoring import SCORES, ContenderScores

SHARED = (*TRUTH, "clip_length", "pretraining.max_steps", "pretraining.batch_size")
"""What all cells have in common: the data, the budget and how they are scored."""


@dataclass(frozen=True)
class Cell:
    """A trained encoder that was scored, by one sort of its masks.

    Attributes:
        encoder: its name.
        view: "attention" if its masks are slot attention's and not its own.
        seed: of its training.
        scored: what came of it.
        record: its settings, where its encoder is, where it ran and how long.
        folder: where its picture is.
    """

    encoder: str
    view: str
    seed: int
    scored: ContenderScores
    record: Record
    folder: Path

    @property
    def contender(self) -> str:
        """What the tables call it."""
        return f"{self.encoder}, {self.view}" if self.view else self.encoder


@dataclass(frozen=True)
class Results:
    """What a comparison has come to.

    Attributes:
        cells: those that are complete, by encoder, view and seed.
        missing: what is not complete, and why.
    """

    cells: list[Cell]
    missing: list[str]

    def contenders(self) -> dict[str, list[Cell]]:
        """Return the cells of each encoder, and of each sort of its masks."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.contender, []).append(cell)
        return found


def read_results(folder: Path) -> Results:
    """Read all cells of a comparison, those of earlier commands included.

    Args:
        folder: of the comparison.

    Raises:
        UsageError: cells have other settings than the rest, or none is complete.
    """
    cells, missing = [], []
    for path in sorted((folder / "cells").glob(f"*/seed=*/{RECORD}")):
        place = path.parent
        record = Record.load(path)
        if (place / SCORES).exists():
            encoder, seed = place.parent.name, int(place.name.partition("=")[2])
            for view in ("", ATTENTION):
                if (place / view / SCORES).exists():
                    scored = ContenderScores.load(place / view)
                    cells.append(Cell(encoder, view, seed, scored, record, place / view))
        else:
            missing.append(f"{record.name}: {record.error or 'not finished'}")
    if not cells:
        raise UsageError(f"no cell is complete: {'; '.join(missing) or 'none began'}")
    check_records([cell.record for cell in cells], SHARED)
    return Results(sorted(cells, key=lambda cell: (cell.encoder, cell.view, cell.seed)), missing)
