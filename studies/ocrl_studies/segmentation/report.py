"""The page of a comparison: tables, a plot, pictures, and how it was made."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio

from ocrl_studies.core.page import Page
from ocrl_studies.core.record import machines
from ocrl_studies.core.tables import write_rows
from ocrl_studies.segmentation.plan import Plan
from ocrl_studies.segmentation.results import Results
from ocrl_studies.segmentation.scores import IDENTITY, OVERLAPS, Scores
from ocrl_studies.segmentation.scoring import PICTURE, ContenderScores


class Report:
    """Writes what a comparison has come to: a page, its Markdown twin, a CSV file.

    Args:
        plan: of the comparison.
        results: of the cells.
        baselines: name -> folder of each baseline.
        command: that made them.

    Attributes:
        scores: of encoders and baselines.
        overlaps: the table of ARI, FG-ARI and mBO.
        identity: the table of slot identity over time.
    """

    def __init__(
        self, plan: Plan, results: Results, baselines: dict[str, Path], command: str
    ) -> None:
        self.plan, self.results, self.baselines, self.command = plan, results, baselines, command
        scored = {name: ContenderScores.load(folder) for name, folder in baselines.items()}
        self.scores = Scores(results.contenders(), scored)
        self.overlaps = self.scores.table(OVERLAPS, "clips or frames scored")
        self.identity = self.scores.table(IDENTITY, "occasions")
        self.page = Page(f"Masks on {plan.name}")

    def write(self) -> Path:
        """Write everything into the folder of the comparison; return the page's path."""
        folder = self.plan.folder
        write_rows(folder / "scores.csv", self.scores.rows())
        self._introduce()
        self._tabulate()
        self._show_masks()
        self._say_how_it_was_made()
        return self.page.save(folder)

    def _introduce(self) -> None:
        plan, page = self.plan, self.page
        page.text(
            f"Each encoder was trained on {plan.name} with each seed for "
            f"{plan.num_steps} steps of {plan.batch_size} clips of "
            f"{plan.clip_length} frames, without labels. Its masks are scored on the same unseen "
            "clips, against true segments in the videos' own size."
        )
        if self.results.missing:
            page.text(f"Not complete, and left out: {'; '.join(self.results.missing)}.")

    def _tabulate(self) -> None:
        page = self.page
        page.heading("Do masks cover the segments?")
        page.text(
            "In percent: mean and standard deviation over seeds. ARI is over all segments; FG-ARI "
            "and mBO are of things alone, in those clips or frames that show any. Scores of clips "
            "want a thing to keep its slot in all frames. FG-ARI alone misleads: it does not see "
            "what is painted over the background. An encoder's masks are those that its decoder "
            "draws, as in the papers; in rows that say so, where slot attention looks, which is "
            "what tokens are made of."
        )
        page.table(*self.overlaps)
        page.figure(self.scores.plot(OVERLAPS), "scores", "Means; dots are seeds.")
        page.heading("Does a thing keep its slot?")
        scoring = self.plan.scoring
        page.text(
            f"In percent, over {scoring.num_long_clips} clips of {scoring.long_clip_length} "
            "frames, or of as many as the longest video has. Switches: a visible thing changes its "
            "slot from one frame to the next. Returns: a thing that comes back gets its slot back. "
            "New slots: a thing that first appears takes a slot that had none. Reuse: the slot of "
            "a thing that vanished goes to another. Few switches and reuses are good, and many "
            "returns and new slots, but one slot for everything never switches: read them beside "
            "mBO."
        )
        page.table(*self.identity)
        page.heading("What it costs")
        page.text(
            "CPU-seconds of the start that finished it; training includes the scores after each "
            "epoch."
        )
        page.table(*self.scores.costs())

    def _show_masks(self) -> None:
        self.page.heading("Masks over time")
        self.page.text("The same unseen clips for all: frames, true segments, masks.")
        for name, cells in self.scores.encoders.items():
            self._show(cells[0].folder, f"{name}, seed {cells[0].seed}")
        for name, folder in self.baselines.items():
            self._show(folder, name)

    def _show(self, folder: Path, caption: str) -> None:
        name = "_".join(caption.replace(",", "").split())
        self.page.picture(iio.imread(folder / PICTURE), name, caption)

    def _say_how_it_was_made(self) -> None:
        self.page.heading("How it was made")
        self.page.code(self.command)
        self.page.text("Where cells ran:")
        self.page.bullets(machines(cell.record for cell in self.results.cells))
        self.page.code(self.plan.settings, folded="All settings")
