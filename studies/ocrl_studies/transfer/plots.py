"""Plots of several agents' scores, with what is known of their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ocrl_studies.core.statistics import (
    Estimate,
    bootstrap_band,
    iqm,
    performance_profile,
    stratified_bootstrap,
)

Array = npt.NDArray[np.float64]


def plot_estimates(estimates: Mapping[str, Mapping[str, Estimate]], label: str) -> Figure:
    """Draw a point and an interval for each name and condition, such as gaps or scores.

    Args:
        estimates: encoder -> condition -> estimate.
        label: of the axis.
    """
    conditions = list(dict.fromkeys(c for row in estimates.values() for c in row))
    height = 1.0 + 0.25 * len(estimates) * max(1, len(conditions))
    figure, axes = _figure(6.0, height)
    for e, row in enumerate(estimates.values()):
        for c, condition in enumerate(conditions):
            if condition not in row:
                continue
            y = e + 0.7 * ((c + 0.5) / len(conditions) - 0.5)
            value, low, high = row[condition]
            axes.plot([low, high], [y, y], color=f"C{c}", linewidth=3, alpha=0.5)
            axes.plot(value, y, "o", color=f"C{c}", label=condition if e == 0 else None)
    axes.set_yticks(range(len(estimates)), list(estimates))
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.5)
    axes.set_xlabel(label)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def plot_profiles(scores: Mapping[str, Array]) -> Figure:
    """Draw which fraction of runs and conditions scores above each threshold, with 95 % bands.

    Args:
        scores: encoder -> normalised scores (runs, conditions); a row is one agent.
    """
    highest = max(float(array.max()) for array in scores.values())
    lowest = min(float(array.min()) for array in scores.values())
    thresholds = np.linspace(min(0.0, lowest), max(1.0, highest), 101)
    figure, axes = _figure(6.0, 3.2)
    for name, array in scores.items():
        low, high = bootstrap_band(
            lambda drawn: performance_profile(drawn, thresholds), array, by_row=True
        )
        (line,) = axes.plot(thresholds, performance_profile(array, thresholds), label=name)
        axes.fill_between(thresholds, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set_xlabel("normalised score (0: random, 1: oracle)")
    axes.set_ylabel("fraction above")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def plot_generalisation(
    curves: Mapping[str, Mapping[int, tuple[Array, Array]]], label: str
) -> Figure:
    """Draw how scores on training and on unseen layouts depend on how many were trained on.

    Args:
        curves: encoder -> number of training layouts -> scores (seeds,) on these, and on
            unseen ones.
        label: of the score.
    """
    figure, axes = _figure(6.0, 3.2)
    for e, (name, points) in enumerate(curves.items()):
        numbers = sorted(points)
        for home, style in ((True, "--"), (False, "-")):
            seeds = [points[number][0 if home else 1][:, None] for number in numbers]
            rows = [stratified_bootstrap(iqm, column) for column in seeds]
            legend = None if home else name
            axes.plot(numbers, [r.value for r in rows], f"o{style}", color=f"C{e}", label=legend)
            if not home:
                low, high = [r.low for r in rows], [r.high for r in rows]
                axes.fill_between(numbers, low, high, color=f"C{e}", alpha=0.2, linewidth=0)
    ticks = sorted({number for points in curves.values() for number in points})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("number of training layouts (dashed: scores on these)")
    axes.set_ylabel(label)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def plot_against(points: Sequence[tuple[str, float, float]], x_label: str, y_label: str) -> Figure:
    """Draw named points, such as transfer against slot quality: one colour for a name."""
    figure, axes = _figure(4.5, 3.2)
    for name in dict.fromkeys(name for name, *_ in points):
        xs, ys = zip(*((x, y) for own, x, y in points if own == name), strict=True)
        axes.plot(xs, ys, "o", label=name)
    axes.locator_params(nbins=4)  # a single point has ticks of many digits
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
