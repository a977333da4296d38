"""Zero-shot transfer: what trained agents score where they were trained, and where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode, mean_scores
from ocrl_studies.core.statistics import bootstrap_band, iqm, stratified_bootstrap
from ocrl_studies.core.tables import write_rows


@dataclass(frozen=True)
class Round:
    """Episodes that one agent played under one condition.

    Attributes:
        encoder: name of the encoder it sees with.
        seed: of its training.
        condition: the factor that shifts, or ``train``.
        episodes: what came of them.
    """

    encoder: str
    seed: int
    condition: str
    episodes: Sequence[Episode]


def write_episodes(path: str | Path, played: Sequence[Round]) -> None:
    """Write one CSV row per episode, the file whole or not at all."""
    rows = [
        {"encoder": p.encoder, "agent_seed": p.seed, "condition": p.condition, **episode.row()}
        for p in played
        for episode in p.episodes
    ]
    write_rows(path, rows)


def episode_score(episode: Episode, score: str) -> float:
    """Return a score of one episode: ``return``, ``length`` or what the environment reports.

    Raises:
        UsageError: it has no such score.
    """
    scores = mean_scores([episode])
    if score not in scores:
        raise UsageError(f"episodes have no score {score!r}: choose from {', '.join(scores)}")
    return scores[score]


def score_matrix(played: Sequence[Round], score: str) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Average episodes to one value per agent: encoder -> condition -> (seeds,).

    Encoders come in the order in which they first appear, seeds in their own.

    Raw successes are averaged first, because an interquartile mean of zeros and ones says nothing
    (Agarwal et al. 2021).

    Example:
        >>> episodes = [Episode(0, {}, 10.0, 9), Episode(1, {}, 0.0, 9)]
        >>> score_matrix([Round("grid", 0, "train", episodes)], "return")
        {'grid': {'train': array([5.])}}
    """
    values: dict[str, dict[str, list[float]]] = {}
    order = list(dict.fromkeys(p.encoder for p in played))
    for p in sorted(played, key=lambda p: (order.index(p.encoder), p.seed)):
        mean = mean_scores(p.episodes).get(score, np.nan)
        values.setdefault(p.encoder, {}).setdefault(p.condition, []).append(mean)
    return {
        encoder: {condition: np.array(means) for condition, means in conditions.items()}
        for encoder, conditions in values.items()
    }


def summary_rows(played: Sequence[Round], scores: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row per encoder and condition: number of seeds and episodes, mean of each score.

    Example:
        >>> episodes = [Episode(0, {}, 10.0, 9), Episode(1, {}, 0.0, 9)]
        >>> summary_rows([Round("grid", 0, "train", episodes)], ["return"])
        [{'encoder': 'grid', 'condition': 'train', 'seeds': 1, 'episodes': 2, 'return': 5.0}]
    """
    matrices = {score: score_matrix(played, score) for score in scores}
    rows = []
    for encoder, conditions in matrices[scores[0]].items():
        for condition, means in conditions.items():
            here = [p for p in played if (p.encoder, p.condition) == (encoder, condition)]
            row = {
                "encoder": encoder,
                "condition": condition,
                "seeds": len(means),
                "episodes": sum(len(p.episodes) for p in here),
            }
            for score in scores:
                row[score] = float(np.mean(matrices[score][encoder][condition]))
            rows.append(row)
    return rows


def plot_transfer(played: Sequence[Round], score: str, label: str) -> Figure:
    """Draw bars of a score by encoder and condition: interquartile means over seeds.

    Each seed is a dot. A whisker is the 95 % interval; where it is unknown there is none.
    """
    matrix = score_matrix(played, score)
    conditions = list(dict.fromkeys(p.condition for p in played))
    figure = Figure(figsize=(1.5 + 1.6 * len(matrix), 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(conditions)
    for x, values in enumerate(matrix.values()):
        for c, condition in enumerate(conditions):
            if condition in values:
                offset = (c - (len(conditions) - 1) / 2) * width
                name = condition if x == 0 else None
                _draw_bar(axes, x + offset, width * 0.92, values[condition], f"C{c}", name)
    axes.set_xticks(range(len(matrix)), list(matrix))
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _draw_bar(
    axes: Axes, x: float, width: float, seeds: NDArray[np.float64], colour: str, name: str | None
) -> None:
    estimate = stratified_bootstrap(iqm, seeds[:, None])
    axes.bar(x, estimate.value, width, color=colour, alpha=0.75, label=name)
    axes.plot([x, x], estimate[1:], color="black", linewidth=1)
    axes.plot([x] * len(seeds), seeds, "o", color="black", markersize=2.5)


def plot_learning(curves: Mapping[str, Sequence[tuple[list[float], list[float]]]]) -> Figure:
    """Draw learning curves: for each encoder, (environment steps, score) of each seed.

    A thick line is the mean over seeds, as far as all of them came, with its 95 % bootstrap band
    where there are seeds enough; thin lines are the seeds.
    """
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for e, (encoder, seeds) in enumerate(curves.items()):
        for steps, values in seeds:
            axes.plot(steps, values, color=f"C{e}", linewidth=0.5, alpha=0.4)
        common, runs = _on_common_steps(seeds)
        # a line of one point is none
        marker = "o" if len(common) == 1 else ""
        axes.plot(common, runs.mean(0), marker=marker, color=f"C{e}", linewidth=2, label=encoder)
        low, high = bootstrap_band(lambda drawn: drawn.mean(-2), runs, by_row=True)
        axes.fill_between(common, low, high, color=f"C{e}", alpha=0.2, linewidth=0)
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.set_xlabel("environment steps")
    axes.set_ylabel("return per episode")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _on_common_steps(
    seeds: Sequence[tuple[list[float], list[float]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps that all seeds have passed, and values (seeds, steps), interpolated."""
    first, last = max(steps[0] for steps, _ in seeds), min(steps[-1] for steps, _ in seeds)
    shortest = min((steps for steps, _ in seeds), key=len)
    common = np.array([step for step in shortest if first <= step <= last])
    return common, np.array([np.interp(common, steps, values) for steps, values in seeds])
