"""The numbers of a comparison, ready for its tables, its plot and its CSV file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure

from ocrl_studies.core.tables import Table
from ocrl_studies.segmentation.results import Cell
from ocrl_studies.segmentation.scoring import ContenderScores

Array = npt.NDArray[np.float64]

OVERLAPS = {
    "ari": "ARI, clips",
    "image_ari": "ARI, frames",
    "fg_ari": "FG-ARI, clips",
    "image_fg_ari": "FG-ARI, frames",
    "mbo": "mBO, clips",
    "image_mbo": "mBO, frames",
}
IDENTITY = {
    "slot_switches": "switches",
    "slot_returns": "returns",
    "new_slots": "new slots",
    "slot_reuse": "reuse",
}


class Scores:
    """What came of encoders, each with several seeds, and of baselines, which have none.

    Args:
        encoders: name -> its cells.
        baselines: name -> what came of it.
    """

    def __init__(
        self, encoders: Mapping[str, Sequence[Cell]], baselines: Mapping[str, ContenderScores]
    ) -> None:
        self.encoders, self.baselines = encoders, baselines

    def values(self, score: str) -> dict[str, Array]:
        """Return a score of each contender: encoders (seeds,), then baselines (1,)."""
        found = {
            name: [cell.scored.values[score] for cell in cells]
            for name, cells in self.encoders.items()
        }
        found |= {name: [scored.values[score]] for name, scored in self.baselines.items()}
        return {name: np.array(values) for name, values in found.items()}

    def table(self, columns: Mapping[str, str], counted: str) -> Table:
        """Return scores in percent, mean and standard deviation over seeds.

        Args:
            columns: score -> title.
            counted: title of the last row: how many samples are behind each score.
        """
        values = [self.values(score) for score in columns]
        rows = [
            [
                name,
                str(len(self.encoders.get(name, ())) or "-"),
                *(percent(v[name]) for v in values),
            ]
            for name in values[0]
        ]
        counts = next(iter(self.encoders.values()))[0].scored.counts
        last = [counted, "", *(str(counts[score]) for score in columns)]
        return Table(["", "seeds", *columns.values()], [*rows, last])

    def costs(self) -> Table:
        """Return size and CPU-seconds of each encoder, mean over the seeds that were timed."""
        rows = []
        for name, cells in self.encoders.items():
            if cells[0].view:
                continue  # of an encoder that has a row already
            scored = cells[0].scored
            sizes = [str(scored.num_slots), f"{scored.num_parameters:,}"]
            times = [_seconds(cells, stage) for stage in ("pretraining", "scoring")]
            rows.append([name, str(len(cells)), *sizes, *times])
        return Table(
            ["", "seeds", "slots", "parameters", "training, CPU-s", "scoring, CPU-s"], rows
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each score of each seed, and of each baseline, which has no seed."""
        seeds: list[tuple[str, int | None, ContenderScores]] = [
            (name, cell.seed, cell.scored)
            for name, cells in self.encoders.items()
            for cell in cells
        ]
        seeds += [(name, None, scored) for name, scored in self.baselines.items()]
        return [
            {
                "contender": name,
                "seed": seed,
                "score": score,
                "value": value,
                "count": scored.counts[score],
            }
            for name, seed, scored in seeds
            for score, value in scored.values.items()
        ]

    def plot(self, columns: Mapping[str, str]) -> Figure:
        """Draw bars of each score by contender: means over seeds; each seed is a dot."""
        figure = Figure(figsize=(2.5 + 1.3 * len(columns), 3.2), layout="constrained")
        axes = figure.subplots()
        for x, score in enumerate(columns):
            contenders = self.values(score)
            width = 0.8 / len(contenders)
            colours = colormaps["tab10" if len(contenders) <= 10 else "tab20"]
            for c, (name, seeds) in enumerate(contenders.items()):
                place = x + (c - (len(contenders) - 1) / 2) * width
                label = None if x else name
                axes.bar(
                    place,
                    100 * seeds.mean(),
                    width * 0.92,
                    color=colours(c),
                    alpha=0.75,
                    label=label,
                )
                if name in self.encoders:
                    axes.plot([place] * len(seeds), 100 * seeds, "o", color="black", markersize=2.5)
        titles = [title.replace(", ", ",\n") for title in columns.values()]
        axes.set_xticks(range(len(columns)), titles)
        axes.set_ylabel("percent")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right upper", frameon=False)
        return figure


def percent(seeds: Array) -> str:
    r"""Write mean and, below, standard deviation over seeds, both of one score.

    >>> percent(np.array([0.5, 0.6]))
    '55.0\n± 7.1'
    >>> percent(np.array([0.5])), percent(np.array([np.nan]))
    ('50.0', '-')
    """
    mean = 100 * float(np.mean(seeds))
    if math.isnan(mean):
        return "-"
    return f"{mean:.1f}" + (f"\n± {100 * np.std(seeds, ddof=1):.1f}" if len(seeds) > 1 else "")


def _seconds(cells: Sequence[Cell], stage: str) -> str:
    found = [cell.record.stages[stage]["cpu"] for cell in cells if stage in cell.record.stages]
    return f"{np.mean(found):.0f}" if found else "-"
