"""The numbers of a transfer study, ready for its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ocrl.errors import UsageError
from ocrl_agents.evaluation import mean_scores
from ocrl_studies.core.statistics import Array, iqm, optimality_gap, stratified_bootstrap
from ocrl_studies.core.tables import Table
from ocrl_studies.transfer.aggregates import NORMALISED, with_normalised, with_pool
from ocrl_studies.transfer.comparison import (
    ORACLE,
    TRAIN,
    estimates,
    generalisation_gaps,
    normalised,
    pairs,
)
from ocrl_studies.transfer.plan import Plan
from ocrl_studies.transfer.results import Results
from ocrl_studies.transfer.rounds import Round, score_matrix

UNSEEN = "unseen"
"""All conditions but the training layouts, together."""

HALVES = ("return_first_half", "return_second_half")
"""Names of the returns of the halves of an episode, see `ocrl_agents.evaluation.halves`."""


class Scores:
    """Scores of the agents that were trained on the last number of layouts, and of references.

    Attributes:
        played: their episodes, with normalised scores where there is an oracle, and with
            all unseen conditions as one more.
        score: name of the score that is compared.
        encoders: the one that the others are compared with first.
        references: policies without learning.
        conditions: training layouts first.
        num_seeds: of each encoder.

    Raises:
        UsageError: no cell is complete.
    """

    def __init__(self, plan: Plan, results: Results) -> None:
        agents = results.agents[plan.numbers[-1]]
        references = results.references[plan.numbers[-1]]
        if not agents:
            raise UsageError(f"no cell is complete: {'; '.join(results.missing) or 'none began'}")
        self.conditions = [TRAIN, *(c for c in plan.evaluation.conditions if c != TRAIN)]
        self.encoders = list(dict.fromkeys(agent.encoder for agent in agents))
        self.references = list(dict.fromkeys(p.encoder for p in references))
        self.num_seeds = {e: len({a.seed for a in agents if a.encoder == e}) for e in self.encoders}
        played = [p for agent in agents for p in agent.played] + references
        self.raw = self.score = plan.score
        if ORACLE in self.references:
            self.score = f"{NORMALISED}{plan.score}"
            played = with_normalised(played, plan.score)
        self.played = with_pool(played, self.conditions[1:], UNSEEN)

    def has_goal(self) -> bool:
        """Say whether anybody ever succeeds: not every level has a goal."""
        matrix = score_matrix(self.played, "success")
        return any(np.nanmax(v, initial=0) > 0 for row in matrix.values() for v in row.values())

    def headline(self, score: str) -> Table:
        """Return a score by encoder and condition with intervals, and the generalisation gap."""
        values, gaps = estimates(self.played, score), generalisation_gaps(self.played, score)
        columns = [*self.conditions, UNSEEN]
        rows = []
        for name in (*self.encoders, *self.references):
            cells = [values[name][c] for c in columns] + [gaps[name][UNSEEN]]
            if name in self.encoders:
                both_lines = (str(cell).replace(" ", "\n", 1) for cell in cells)
                rows.append([name, str(self.num_seeds[name]), *both_lines])
            else:
                rows.append([name, "-", *(f"{cell.value:z.2f}" for cell in cells)])
        return Table(["", "seeds", *columns, f"{TRAIN} - {UNSEEN}"], rows)

    def has_halves(self) -> bool:
        """Say whether returns of the halves of episodes are known: not of old ones."""
        return all(HALVES[1] in mean_scores(p.episodes) for p in self.played)

    def halves(self) -> Table:
        """Return the raw score of the first and the second half of an episode, and their ratio."""
        first, second = (score_matrix(self.played, half) for half in HALVES)
        rows = []
        for name in (*self.encoders, *self.references):
            cells = []
            for condition in (TRAIN, UNSEEN):
                a, b = (float(half[name][condition].mean()) for half in (first, second))
                cells += [f"{a:z.2f}", f"{b:z.2f}", f"{b / a:z.2f}" if a > 0 else "-"]
            rows.append([name, *cells])
        titles = ("first half", "second half", "ratio")
        return Table(["", *(f"{c}, {title}" for c in (TRAIN, UNSEEN) for title in titles)], rows)

    def comparisons(self) -> Table:
        """Return the first encoder against each other one, over all unseen conditions."""
        first = self.encoders[0]
        rows = []
        for other in self.encoders[1:]:
            both = [p for name in (first, other) for p in self.played if p.encoder == name]
            (pair,) = pairs(both, self.score, UNSEEN)
            rows.append([f"{first} against {other}", str(pair.difference), str(pair.improvement)])
        return Table(["", f"difference in {self.score}", "probability of improvement"], rows)

    def aggregates(self) -> Table:
        """Return normalised scores over all unseen conditions as tasks; an agent is a run."""
        rows = [
            [
                name,
                *(str(stratified_bootstrap(f, unseen, by_row=True)) for f in (iqm, optimality_gap)),
            ]
            for name, unseen in self.unseen().items()
        ]
        return Table(["", "interquartile mean", "optimality gap"], rows)

    def unseen(self) -> dict[str, Array]:
        """Return normalised scores off the training layouts: encoder -> (seeds, conditions)."""
        return {name: matrix[:, 1:] for name, matrix in self.matrices().items()}

    def names(self) -> list[str]:
        """Return all scores that there are."""
        return list(dict.fromkeys(n for p in self.played for n in mean_scores(p.episodes)))

    def matrices(self) -> dict[str, Array]:
        """Return normalised scores: encoder -> (seeds, conditions), training layouts first."""
        shown = [p for p in self.played if p.condition in self.conditions]
        shown.sort(key=lambda p: self.conditions.index(p.condition))
        return {k: v for k, v in normalised(shown, self.raw).items() if k in self.encoders}


def episode_rows(results: Results) -> list[dict[str, Any]]:
    """Return a row for each episode of every agent and reference."""

    def rows(played: Sequence[Round], layouts: int | None) -> list[dict[str, Any]]:
        return [
            {
                "encoder": p.encoder,
                "agent_seed": p.seed,
                "training_layouts": layouts,
                "condition": p.condition,
                **episode.row(),
            }
            for p in played
            for episode in p.episodes
        ]

    return [
        row
        for everyone in (results.agents_played, results.references)
        for number, played in everyone.items()
        for row in rows(played, number)
    ]


def estimate_rows(scores: Scores) -> list[dict[str, Any]]:
    """Return a row for each score, encoder and condition: estimate and interval, nan if unknown."""
    return [
        {"score": name, "encoder": encoder, "condition": condition, **estimate._asdict()}
        for name in scores.names()
        for encoder, row in estimates(scores.played, name).items()
        for condition, estimate in row.items()
    ]
