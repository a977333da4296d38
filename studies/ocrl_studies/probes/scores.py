"""Scores of what was read: R2 of a number, AUC of a yes or no, accuracy of a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.floating]


def score_name(truth: NDArray[np.generic]) -> str:
    """Return what a fact is scored by.

    >>> score_name(np.array([True])), score_name(np.array([0.5])), score_name(np.array([3]))
    ('AUC', 'R2', 'accuracy')
    """
    return {"b": "AUC", "f": "R2"}.get(truth.dtype.kind, "accuracy")


def score(truth: NDArray[np.generic], outputs: Array) -> float:
    """Return how well a fact was read, at best 1.

    Args:
        truth: (M,), see `ocrl_envs.protocols.HasFacts`.
        outputs: (M, C) of a probe: C classes, or one number.
    """
    if truth.dtype.kind == "b":
        return area_under_curve(truth.astype(bool), outputs[:, 0])
    if truth.dtype.kind == "f":
        return explained_variance(truth.astype(float), outputs[:, 0])
    return float((outputs.argmax(1) == truth).mean())


def area_under_curve(truth: NDArray[np.bool_], outputs: Array) -> float:
    """Return the share of pairs of a yes and a no that are told apart; nan without such a pair.

    >>> area_under_curve(np.array([True, False, False]), np.array([0.2, 0.1, 0.3]))
    0.5
    """
    yes = int(truth.sum())
    no = len(truth) - yes
    if not yes or not no:
        return float("nan")
    return float((rankdata(outputs)[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def explained_variance(truth: Array, outputs: Array) -> float:
    """Return R2 where the truth is known: 1 less the squared error as a share of the variance.

    >>> explained_variance(np.array([1.0, 3.0, np.nan]), np.array([1.0, 2.0, 9.0]))
    0.5
    """
    known = np.isfinite(truth)
    truth, outputs = truth[known], outputs[known]
    if len(truth) < 2 or truth.std() == 0:
        return float("nan")
    return float(1 - ((truth - outputs) ** 2).mean() / truth.var())
