"""The page of a transfer study: tables, words, plots, pictures, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import imageio.v3 as iio

from ocrl_studies.core.page import Page
from ocrl_studies.core.record import machines
from ocrl_studies.core.statistics import Array
from ocrl_studies.core.tables import read_curve, write_rows
from ocrl_studies.env_settings import Variation
from ocrl_studies.transfer.comparison import ORACLE, TRAIN, estimates, generalisation_gaps
from ocrl_studies.transfer.conditions import same_as_training
from ocrl_studies.transfer.plan import Plan
from ocrl_studies.transfer.plots import (
    plot_against,
    plot_estimates,
    plot_generalisation,
    plot_profiles,
)
from ocrl_studies.transfer.provenance import durations, policies
from ocrl_studies.transfer.references import reference_episodes, references_folder
from ocrl_studies.transfer.results import Results, slot_quality
from ocrl_studies.transfer.rounds import (
    plot_learning,
    plot_transfer,
    score_matrix,
)
from ocrl_studies.transfer.scores import UNSEEN, Scores, episode_rows, estimate_rows
from ocrl_studies.transfer.verdicts import BLIND, caveats, verdicts

QUALITY = "mbo"

EXPLORERS = (
    "An explorer (..._explorer) is rewarded for states that its episode has not been in; with all "
    "agents of its encoder, which act where enough of them agree, it is ExpGen (..._expgen)."
)


class Report:
    """Writes what a study has come to: a page, its Markdown twin, CSV files.

    Args:
        plan: of the study.
        results: what was played.
        command: that made them.

    Raises:
        UsageError: no cell is complete.
    """

    def __init__(self, plan: Plan, results: Results, command: str) -> None:
        self.plan, self.results, self.command = plan, results, command
        self.scores = Scores(plan, results)
        self.agents = results.agents[plan.numbers[-1]]
        self.page = Page(f"Zero-shot transfer in {plan.name}")

    def write(self) -> Path:
        """Write everything into the folder of the study; return the page's path."""
        folder = self.plan.folder
        write_rows(folder / "episodes.csv", episode_rows(self.results))
        write_rows(folder / "scores.csv", estimate_rows(self.scores))
        self._introduce()
        self._tabulate()
        self._plot()
        self._show_episodes()
        self._say_how_it_was_made()
        return self.page.save(folder)

    def _introduce(self) -> None:
        plan, scores, page = self.plan, self.scores, self.page
        fewest, most = min(scores.num_seeds.values()), max(scores.num_seeds.values())
        seeds = f"{most} seed{'s' * (most > 1)}" if fewest == most else f"{fewest} to {most} seeds"
        evaluation, number = plan.evaluation, len(scores.encoders)
        page.text(
            f"{number} encoder{'s' * (number > 1)}, {seeds} each: each seed has an encoder of its "
            f"own, and a policy over its tokens that is trained for {plan.total_steps:,} steps of "
            f"{plan.name}. After its last step, with nothing selected, it plays "
            f"{evaluation.num_episodes} episodes under each condition; mazes and episode seeds are "
            f"the same for all. Conditions: {describe(evaluation.conditions)}; {UNSEEN}: all but "
            f"{TRAIN} together."
        )
        for name in same_as_training(evaluation.conditions):
            page.text(
                f"{name} plays the environments of the training, whose numbers it repeats: there "
                "is nothing to carry over to."
            )
        if any(result.agent.explores for result in self.agents):
            page.text(EXPLORERS)
        if self.results.missing:
            page.text(f"Not complete, and left out: {'; '.join(self.results.missing)}.")
        page.heading("What the intervals allow one to say")
        page.bullets(verdicts(scores.played, scores.score, scores.encoders, UNSEEN))
        page.text("What they do not say:")
        page.bullets(caveats(scores.num_seeds, plan.evaluation.num_episodes))

    def _tabulate(self) -> None:
        scores, page = self.scores, self.page
        page.heading("Scores")
        page.text(
            f"Each agent's episodes are averaged first. A cell is the interquartile mean over "
            f"seeds (of fewer than four: the mean) and its 95 % bootstrap interval; one without "
            f"width means that all seeds came out the same. {self._scale()} The last column is "
            f"what an agent loses from its training layouts to {UNSEEN} conditions, paired by "
            f"seed, a mean over all seeds. Rows without seeds are policies without learning."
        )
        page.table(*scores.headline(scores.score))
        if scores.has_goal():
            page.text("Success rate: episodes in which the goal was reached at least once.")
            page.table(*scores.headline("success"))
        if scores.has_goal() and scores.has_halves():  # elsewhere things run out
            page.text(
                "Return of the first and of the second half of an episode: who remembers what the "
                "first has shown does better in the second."
            )
            page.table(*scores.halves())
        if len(scores.encoders) > 1:
            page.text(
                f"{UNSEEN.capitalize()} conditions together; differences are of means over all "
                "seeds, paired where both encoders have the same seeds."
            )
            page.table(*scores.comparisons())
        if ORACLE in scores.references:
            page.text(
                f"Each {UNSEEN} condition is a task, normalised, and each agent a run: the mean of "
                "the middle half of all, and by how much they fall short of the oracle on average."
            )
            page.table(*scores.aggregates())

    def _scale(self) -> str:
        if self.scores.score == self.scores.raw:
            return f"The score is the {self.scores.raw} per episode."
        return (
            f"The score is the {self.scores.raw} per episode, normalised under each condition so "
            "that the random policy has 0 and the oracle 1."
        )

    def _plot(self) -> None:
        scores, page = self.scores, self.page
        page.heading("Plots")
        of_conditions = [p for p in scores.played if p.condition != UNSEEN]
        caption = (
            "Bars: interquartile mean over seeds; dots: seeds; whiskers: 95 % interval. "
            f"What learns nothing: {', '.join(scores.references)}."
        )
        if scores.has_goal():
            figure = plot_transfer(of_conditions, "success", "success rate")
            page.figure(figure, "success", f"Success rate. {caption}")
        figure = plot_transfer(of_conditions, scores.score, scores.score)
        page.figure(figure, "score", f"{scores.score.capitalize()}. {caption}")
        agents = [p for p in of_conditions if p.encoder in scores.encoders]
        gaps = generalisation_gaps(agents, scores.score)
        figure = plot_estimates(gaps, f"{TRAIN} - condition, {scores.score}")
        page.figure(figure, "gaps", "Generalisation gap: what agents lose, with 95 % intervals.")
        if ORACLE in scores.references:
            page.figure(
                plot_profiles(scores.unseen()),
                "profiles",
                f"Performance profiles: fraction of agents and {UNSEEN} conditions above a score.",
            )
        if len(self.plan.numbers) > 1:
            self._show_generalisation()
        self._plot_learning()
        self._plot_slot_quality()

    def _show_generalisation(self) -> None:
        """Draw and tabulate scores by the number of training layouts, unnormalised."""
        score, condition = self.scores.raw, self.scores.conditions[1]
        curves: dict[str, dict[int, tuple[Array, Array]]] = {}
        rows: list[list[str]] = []
        shown = [*self.scores.encoders, *self.scores.references]
        for number in sorted(n for n in self.plan.numbers if n is not None):
            played = self.results.agents_played[number] + self.results.references[number]
            values, gaps = estimates(played, score), generalisation_gaps(played, score)
            for encoder, seeds in score_matrix(played, score).items():
                curves.setdefault(encoder, {})[number] = seeds[TRAIN], seeds[condition]
                cells = values[encoder][TRAIN], values[encoder][condition], gaps[encoder][condition]
                learned = encoder in self.scores.encoders
                texts = (str(cell) if learned else f"{cell.value:z.2f}" for cell in cells)
                rows.append([encoder, str(number), *texts])
        drawn = {name: curves[name] for name in shown if len(curves[name]) > 1}
        caption = f"{score.capitalize()} on training layouts (dashed) and under {condition}."
        told = (*self.scores.encoders, *BLIND)
        figure = plot_generalisation({k: v for k, v in drawn.items() if k in told}, score)
        self.page.figure(figure, "generalisation", caption)
        rows = [row for name in drawn for row in rows if row[0] == name]
        header = ["", "training layouts", TRAIN, condition, f"{TRAIN} - {condition}"]
        self.page.text(f"{score.capitalize()} by the number of training layouts.")
        self.page.table(header, rows)

    def _plot_learning(self) -> None:
        curves: dict[str, list[tuple[list[float], list[float]]]] = {}
        for result in self.agents:
            if result.agent.explores:
                continue  # its return is of another kind
            curve = read_curve(result.agent.run_dir / "progress.csv", "rollout/ep_rew_mean")
            if curve[0]:
                curves.setdefault(result.encoder, []).append(curve)
        if not curves:
            self.page.text("No episode ended while training: the runs are too short for a curve.")
            return
        caption = "Return while training, on training layouts: mean over seeds, its 95 % interval."
        self.page.figure(plot_learning(curves), "learning", caption)

    def _plot_slot_quality(self) -> None:
        """Draw transfer against segmentation, a point for each agent whose tokens have masks."""
        unseen = score_matrix(self.scores.played, self.scores.score)
        points, floor = [], {}
        for encoder in self.scores.encoders:
            agents = sorted((a for a in self.agents if a.encoder == encoder), key=lambda a: a.seed)
            for result, value in zip(agents, unseen[encoder][UNSEEN], strict=True):
                scores = slot_quality(result)
                if QUALITY in (own := scores.pop(encoder, {})):
                    points.append((encoder, own[QUALITY], float(value)))
                    floor = {name: row[QUALITY] for name, row in scores.items()}
        if not points:
            return
        beaten = ", ".join(f"{name} have {value:.2f}" for name, value in floor.items())
        self.page.figure(
            plot_against(points, "mBO of things, of the masks", f"{self.scores.score}, {UNSEEN}"),
            "slot_quality",
            f"Do better slots carry over better? A point is an agent; without learning, {beaten}.",
        )

    def _show_episodes(self) -> None:
        conditions = self.scores.conditions[:2]
        self.page.heading("Episodes")
        self.page.text(
            f"The first episode under {' and '.join(conditions)}, the same for all, one agent of "
            f"each encoder: frames {self.plan.evaluation.every} decisions apart, where its slots "
            "are, and the way that it took."
        )
        for encoder in self.scores.encoders:
            result = next(result for result in self.agents if result.encoder == encoder)
            for condition in conditions:
                path = result.agent.episodes(condition)
                self._show_strip(path, f"{encoder}, seed {result.seed}: {condition}")
        if ORACLE in self.scores.references:
            folder = references_folder(self.plan, self.plan.numbers[-1])
            for condition in conditions:
                path = reference_episodes(folder, ORACLE, condition)
                self._show_strip(path, f"{ORACLE}: {condition}")

    def _show_strip(self, episodes: Path, caption: str) -> None:
        path = episodes.with_suffix(".png")
        if path.exists():
            name = "_".join(re.findall(r"\w+", caption))
            self.page.picture(iio.imread(path), name, caption)

    def _say_how_it_was_made(self) -> None:
        page, records = self.page, self.results.records
        page.heading("How it was made")
        page.code(self.command)
        if records:
            page.text("CPU-minutes of one cell, mean over seeds, of the start that finished it.")
            page.table(*durations(records))
        page.table(*policies(self.agents))
        if records:
            page.text("Where cells ran:")
            page.bullets(machines(records))
        page.code(self.plan.settings, folded="All settings")


def describe(conditions: Mapping[str, Variation]) -> str:
    """Return conditions as a sentence has them.

    >>> describe({"train": {"split": "train"}, "all": {"shift": "all", "level": None}})
    'train (split=train), all (shift=all)'
    >>> describe({"train": {}})
    'train (as it is)'
    """
    texts = []
    for name, variation in conditions.items():
        given = [f"{k!s}={v}" for k, v in variation.items() if v is not None]
        texts.append(f"{name} ({', '.join(given) or 'as it is'})")
    return ", ".join(texts)
