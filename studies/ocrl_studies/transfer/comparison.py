"""What the episodes of several agents allow one to say about their encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl.errors import UsageError
from ocrl_studies.core.statistics import (
    MIN_RUNS,
    Estimate,
    iqm,
    mean_difference,
    normalise,
    probability_of_improvement,
    stratified_bootstrap,
)
from ocrl_studies.transfer.rounds import Round, score_matrix

TRAIN = "train"
"""The condition that agents were trained under."""

RANDOM, ORACLE = "random", "oracle"
"""Names under which the two agents are played that normalised scores lie between."""


class Pair(NamedTuple):
    """Two encoders under one condition.

    Attributes:
        first: name of one encoder.
        second: name of the other.
        difference: how much more the first scores, paired by seed where both have the same seeds.
        improvement: how likely an agent of the first beats one of the second.
    """

    first: str
    second: str
    difference: Estimate
    improvement: Estimate


def estimates(played: Sequence[Round], score: str) -> dict[str, dict[str, Estimate]]:
    """Return the interquartile mean over seeds: encoder -> condition -> estimate."""
    return {
        encoder: {c: stratified_bootstrap(iqm, column(seeds)) for c, seeds in conditions.items()}
        for encoder, conditions in score_matrix(played, score).items()
    }


def generalisation_gaps(
    played: Sequence[Round], score: str, trained_on: str = TRAIN
) -> dict[str, dict[str, Estimate]]:
    """Return what each agent loses off its training condition: encoder -> condition -> estimate."""
    gaps: dict[str, dict[str, Estimate]] = {}
    for encoder, conditions in score_matrix(played, score).items():
        home = conditions.get(trained_on)
        for condition, seeds in conditions.items():
            if home is None or condition == trained_on or len(home) != len(seeds):
                continue
            gap = stratified_bootstrap(mean_difference, column(home), column(seeds), paired=True)
            gaps.setdefault(encoder, {})[condition] = gap
    return gaps


def normalised(played: Sequence[Round], score: str) -> dict[str, npt.NDArray[np.float64]]:
    """Return scores between a random agent (0) and an oracle (1): encoder -> (seeds, conditions).

    Only conditions under which both of them and all encoders were played are kept.

    Raises:
        UsageError: if there are no episodes of one of the two.
    """
    matrix = score_matrix(played, score)
    for name in (RANDOM, ORACLE):
        if name not in matrix:
            raise UsageError(
                f"there are no episodes of the {name} agent to normalise by: play it first"
            )
    shared = [c for c in matrix[RANDOM] if all(c in conditions for conditions in matrix.values())]
    worst = [matrix[RANDOM][c].mean() for c in shared]
    best = [matrix[ORACLE][c].mean() for c in shared]
    return {
        encoder: normalise(np.stack([conditions[c] for c in shared], axis=1), worst, best)
        for encoder, conditions in matrix.items()
        if encoder not in (RANDOM, ORACLE)
    }


def pairs(played: Sequence[Round], score: str, condition: str) -> Iterator[Pair]:
    """Compare every two encoders under a condition, each with those that appear after it."""
    seeds = {(p.encoder, p.seed) for p in played if p.condition == condition}
    matrix = score_matrix([p for p in played if p.condition == condition], score)
    for first, second in combinations(matrix, 2):
        scores = column(matrix[first][condition]), column(matrix[second][condition])
        same_seeds = {s for e, s in seeds if e == first} == {s for e, s in seeds if e == second}
        yield Pair(
            first,
            second,
            stratified_bootstrap(mean_difference, *scores, paired=same_seeds),
            stratified_bootstrap(probability_of_improvement, *scores),
        )


def findings(played: Sequence[Round], score: str, condition: str) -> list[str]:
    """Say in words what the intervals allow one to say, and no more.

    >>> from ocrl_agents.evaluation import Episode
    >>> def agent(encoder, seed, value):
    ...     return Round(encoder, seed, "layout", [Episode(0, {}, value, 9)])
    >>> played = [agent("slots", s, 5.0 + s) for s in range(3)]
    >>> played += [agent("grid", s, 1.0 + s) for s in range(3)]
    >>> findings(played, "return", "layout")
    ['layout: slots scores more return than grid, by 4.00 [4.00, 4.00] (3 seeds).']
    """
    matrix = score_matrix([p for p in played if p.condition == condition], score)
    sentences = []
    for pair in pairs(played, score, condition):
        counts = [len(matrix[name][condition]) for name in (pair.first, pair.second)]
        number = f"{min(counts)} seed{'s' if min(counts) > 1 else ''}"
        first, second, difference = pair.first, pair.second, pair.difference
        if difference.high < 0:
            first, second = second, first
            difference = Estimate(-difference.value, -difference.high, -difference.low)
        if np.isnan(difference.low):
            said = (
                f"{number} of {first} and {second} are too few to compare their {score} "
                f"(at least {MIN_RUNS} are needed)"
            )
        elif difference.low > 0:
            said = f"{first} scores more {score} than {second}, by {difference} ({number})"
        else:
            said = (
                f"{first} and {second} cannot be told apart in {score}: the difference is "
                f"{difference} ({number})"
            )
        sentences.append(f"{condition}: {said}.")
    return sentences


def column(seeds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the scores of several seeds at one task as (runs, tasks)."""
    return seeds[:, None]
