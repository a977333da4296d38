"""What a few training runs allow one to say: aggregates and their intervals.

Scores are arrays (runs, tasks): one training run is a row, a task such as a level or a kind of
shift is a column, and a score is already an average over episodes. After Agarwal et al. 2021, *Deep
Reinforcement Learning at the Edge of the Statistical Precipice*. Every statistic takes any number
of leading axes and works on the last two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl.errors import UsageError

Array = npt.NDArray[np.float64]
Statistic = Callable[..., Array]

MIN_RUNS = 3
"""With fewer runs an interval is unknown: two say next to nothing about their spread."""


class Estimate(NamedTuple):
    """A value and its interval; low and high are nan where they are unknown.

    >>> print(Estimate(0.5, 0.25, 0.75), Estimate(-0.001, np.nan, np.nan))
    0.50 [0.25, 0.75] 0.00 [unknown]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if np.isnan(self.low) or np.isnan(self.high):
            return f"{self.value:z.2f} [unknown]"
        return f"{self.value:z.2f} [{self.low:z.2f}, {self.high:z.2f}]"


def normalise(scores: Array, worst: npt.ArrayLike, best: npt.ArrayLike) -> Array:
    """Map scores so that `worst` (a random agent) is 0 and `best` (an oracle) is 1.

    >>> normalise(np.array([[2.0, 5.0]]), worst=[1.0, 0.0], best=[3.0, 10.0])
    array([[0.5, 0.5]])
    """
    low, high = np.asarray(worst, dtype=np.float64), np.asarray(best, dtype=np.float64)
    if np.any(high <= low):
        raise UsageError("the best score is not above the worst: check the two reference agents")
    return np.asarray((scores - low) / (high - low))


def mean(scores: Array) -> Array:
    """Return the mean over runs and tasks."""
    return np.asarray(scores.mean((-2, -1)))


def iqm(scores: Array) -> Array:
    """Return the interquartile mean: the mean of the middle half of all runs and tasks.

    >>> float(iqm(np.array([[0.0], [4.0], [6.0], [100.0]])))
    5.0
    """
    flat = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = flat.shape[-1] // 4
    return np.asarray(flat[..., cut : flat.shape[-1] - cut].mean(-1))


def optimality_gap(scores: Array, target: float = 1.0) -> Array:
    """Return by how much scores fall short of the target on average; what exceeds it is no merit.

    >>> float(optimality_gap(np.array([[0.5, 1.5]])))
    0.25
    """
    return np.asarray(target - np.minimum(scores, target).mean((-2, -1)))


def performance_profile(scores: Array, thresholds: Array) -> Array:
    """Return the fraction of runs and tasks that score above each threshold, (..., thresholds).

    >>> performance_profile(np.array([[0.2, 0.6]]), np.array([0.0, 0.5, 1.0]))
    array([1. , 0.5, 0. ])
    """
    above = scores[..., None] > thresholds
    return np.asarray(above.mean((-3, -2)))


def probability_of_improvement(scores: Array, others: Array) -> Array:
    """Return how likely a run of the first beats one of the second on a task taken at random.

    The Mann-Whitney U statistic over the number of pairs, averaged over tasks; a tie counts half.

    >>> float(probability_of_improvement(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])))
    0.375
    """
    mine, theirs = scores[..., :, None, :], others[..., None, :, :]
    return np.asarray(((mine > theirs) + 0.5 * (mine == theirs)).mean((-3, -2, -1)))


def mean_difference(scores: Array, others: Array) -> Array:
    """Return by how much the first is better on average; meant for paired runs.

    >>> float(mean_difference(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])))
    -0.5
    """
    return mean(scores) - mean(others)


def stratified_bootstrap(
    statistic: Statistic,
    *scores: Array,
    paired: bool = False,
    by_row: bool = False,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Estimate a statistic, with a percentile interval from resampled runs.

    Runs are drawn with replacement, in each task on its own (stratified): right where each task
    was trained on separately. Where one run fills a row, such as an agent that plays under several
    conditions, rows are drawn as a whole, because what is lucky about a run is so in all tasks.
    Pairs of runs, such as two encoders with one seed, are drawn together.

    Args:
        statistic: a function of this module, or any of arrays (..., runs, tasks).
        scores: its arguments, (runs, tasks) each.
        paired: whether row i of all of them belongs together.
        by_row: whether a row is one run, drawn as a whole.
        confidence: of the interval.
        num_resamples: number of draws.
        seed: of the draws.

    Returns:
        The statistic of the scores as they are, and its interval: unknown with fewer than MIN_RUNS
        runs, or where a score is nan.

    Raises:
        UsageError: if scores are not (runs, tasks), or paired ones differ in shape.

    >>> runs = np.array([[0.4], [0.5], [0.7]])
    >>> print(stratified_bootstrap(iqm, runs), stratified_bootstrap(iqm, runs[:2]))
    0.53 [0.40, 0.70] 0.45 [unknown]
    """
    low, high = bootstrap_band(
        statistic,
        *scores,
        paired=paired,
        by_row=by_row,
        confidence=confidence,
        num_resamples=num_resamples,
        seed=seed,
    )
    return Estimate(float(statistic(*scores)), float(low), float(high))


def bootstrap_band(
    statistic: Statistic,
    *scores: Array,
    paired: bool = False,
    by_row: bool = False,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Return lower and upper ends of `stratified_bootstrap`, for statistics of any shape.

    >>> thresholds = np.array([0.0, 0.5, 1.0])
    >>> runs = np.array([[0.4], [0.6], [0.7]])
    >>> bootstrap_band(lambda scores: performance_profile(scores, thresholds), runs)
    (array([1., 0., 0.]), array([1., 1., 0.]))
    """
    if any(array.ndim != 2 for array in scores):
        shapes = ", ".join(str(array.shape) for array in scores)
        raise UsageError(f"scores are (runs, tasks), got {shapes}: average over episodes first")
    if paired and any(array.shape != scores[0].shape for array in scores):
        shapes = ", ".join(str(array.shape) for array in scores)
        raise UsageError(f"paired scores have one shape, got {shapes}: keep what all runs have")
    if min(len(array) for array in scores) < MIN_RUNS:
        unknown = np.full(np.shape(statistic(*scores)), np.nan)
        return unknown, unknown
    generator = np.random.default_rng(seed)
    draws = [
        generator.integers(runs, size=(num_resamples, runs, 1 if by_row else tasks))
        for runs, tasks in (array.shape for array in scores)
    ]
    if paired:
        draws = draws[:1] * len(scores)
    resampled = [
        np.take_along_axis(array[None], draw, axis=1)
        for array, draw in zip(scores, draws, strict=True)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(*resampled), [tail, 1 - tail], axis=0)
    return low, high
