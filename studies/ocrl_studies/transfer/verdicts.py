"""What a transfer study allows one to say in words, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ocrl_studies.core.statistics import MIN_RUNS, Estimate
from ocrl_studies.transfer.comparison import TRAIN, estimates, findings, generalisation_gaps
from ocrl_studies.transfer.rounds import Round

BLIND = ("random", "wandering")
"""Policies that do not look: what they score needs no encoder."""


def verdicts(
    played: Sequence[Round], score: str, encoders: Sequence[str], unseen: str
) -> Iterator[str]:
    """Yield sentences: who has learned to play, what each loses, who carries over better.

    Args:
        played: episodes of all agents, those of policies that do not look among them.
        score: what is compared.
        encoders: the first one is compared with each other one.
        unseen: the condition to which they carry over.
    """
    values = estimates(played, score)
    gaps = generalisation_gaps(played, score)
    blind = [values[name][TRAIN].value for name in BLIND if name in values]
    for encoder in encoders:
        said = _learned(values[encoder][TRAIN], max(blind), score)
        yield f"{encoder}: {said} {_lost(gaps[encoder][unseen], unseen)}"
    for other in encoders[1:]:
        both = [p for p in played if p.encoder in (encoders[0], other)]
        yield from findings(both, score, unseen)


def caveats(num_seeds: Mapping[str, int], num_episodes: int) -> Iterator[str]:
    r"""Yield what the intervals do not cover.

    Args:
        num_seeds: of each encoder; the first one is compared with each other one.
        num_episodes: of each agent under each condition.

    >>> print(*caveats({"slots": 3, "cnn": 1, "grid": 3, "vector": 3}, 32), sep="\n")
    ... # doctest: +ELLIPSIS
    An interval says how far other training seeds would move a score on these very mazes...
    Nothing can be said about cnn in comparison: of fewer than 3 seeds the interval is unknown.
    3 seeds are few: intervals from resampling fewer than 5 runs are narrower than they claim to be.
    2 comparisons are made, each at 95 %: the more there are, the likelier one of them errs.
    """
    yield (
        "An interval says how far other training seeds would move a score on these very mazes, not "
        f"how far other mazes would: there are {num_episodes} episodes under each condition, the "
        "same for every agent. Policies that do not look are played on them once, without one."
    )
    unknown = [name for name, number in num_seeds.items() if number < MIN_RUNS]
    if unknown:
        yield (
            f"Nothing can be said about {' and '.join(unknown)} in comparison: of fewer than "
            f"{MIN_RUNS} seeds the interval is unknown."
        )
    known = {name: number for name, number in num_seeds.items() if name not in unknown}
    fewest = min(known.values(), default=0)
    if 0 < fewest < 5:
        yield (
            f"{fewest} seeds are few: intervals from resampling fewer than 5 runs are narrower "
            "than they claim to be."
        )
    if next(iter(num_seeds)) in known and len(known) > 2:
        yield (
            f"{len(known) - 1} comparisons are made, each at 95 %: the more there are, the "
            "likelier one of them errs."
        )


def _learned(home: Estimate, blind: float, score: str) -> str:
    said = f"{home} {score} on its training layouts"
    if np.isnan(home.low):
        return f"{said}; too few seeds to tell whether that beats not looking ({blind:.2f})."
    if home.low > blind:
        return f"{said}, more than without looking ({blind:.2f}): it has learned to play."
    return (
        f"{said}, not clearly more than without looking ({blind:.2f}): it has hardly learned to "
        "play, and what it scores elsewhere says little about how it carries over."
    )


def _lost(gap: Estimate, unseen: str) -> str:
    if np.isnan(gap.low):
        return f"How much more that is than under {unseen} conditions: {gap}."
    if gap.low > 0:
        return f"From there to {unseen} conditions it loses {gap}."
    if gap.high < 0:
        gain = Estimate(-gap.value, -gap.high, -gap.low)
        return f"Under {unseen} conditions it scores more, by {gain}."
    return f"No loss from there to {unseen} conditions can be told: {gap}."
