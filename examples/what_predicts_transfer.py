"""Which encoders carry over: those whose tokens tell what? A rank for each fact that probes read.

    python scripts/transfer_study.py experiment=quick env=seekavoid_arena_1 encoder=...
    python scripts/probe_tokens.py env=seekavoid_arena_1 runs_dir=runs/quick 'encoders=[...]'
    python examples/what_predicts_transfer.py runs/quick/study/seekavoid_arena_1/episodes.csv \
        runs/quick/probes/seekavoid_arena_1/scores.csv prediction.png

Further files of probes, of other seeds, go before the picture. An encoder counts once: the mean of
its agents' returns on unseen layouts, and for each fact the best probe, mean over files.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

CONDITION = "layout"
DRAWN = 3
Scores = dict[str, float]


def main(episodes: Path, probes: Sequence[Path], picture: Path) -> None:
    """Print each fact's rank correlation with the return, and draw the facts with the largest.

    Args:
        episodes: of a transfer study.
        probes: scores of the same encoders' tokens, a file for each seed.
        picture: that is made.
    """
    returns = mean_returns(episodes)
    facts = best_probes(probes)
    ranked = []
    for fact, scores in facts.items():
        both = sorted(returns.keys() & scores.keys())
        if len(both) > 2:
            found = spearmanr([scores[name] for name in both], [returns[name] for name in both])
            ranked.append((float(found.statistic), fact, len(both)))
    if not ranked:
        sys.exit(f"{episodes} and the probes have fewer than 3 encoders in common")
    ranked.sort(reverse=True)
    print(f"{'fact':24} rank correlation with the return, encoders")
    for rho, fact, number in ranked:
        print(f"{fact:24} {rho:5.2f} {number:3}")
    draw(returns, {fact: facts[fact] for _, fact, _ in ranked[:DRAWN]}).savefig(picture, dpi=110)


def mean_returns(path: Path) -> Scores:
    """Return each encoder's return on unseen layouts: of episodes, then of seeds, the mean."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["condition"] == CONDITION and row["agent_seed"]:
                found[row["encoder"]][row["agent_seed"]].append(float(row["return"]))
    return {
        name: float(np.mean([np.mean(each) for each in seeds.values()]))
        for name, seeds in found.items()
    }


def best_probes(paths: Sequence[Path]) -> dict[str, Scores]:
    """Return for each fact what the best probe reads of it from each encoder's tokens."""
    best: dict[tuple[str, str], list[float]] = defaultdict(list)
    for path in paths:
        of_file: dict[tuple[str, str], float] = {}
        with path.open() as file:
            for row in csv.DictReader(file):
                if row["probe"]:
                    key = row["fact"], row["encoder"]
                    of_file[key] = max(of_file.get(key, -np.inf), float(row["value"]))
        for key, value in of_file.items():
            best[key].append(value)
    facts: dict[str, Scores] = defaultdict(dict)
    for (fact, encoder), values in best.items():
        facts[fact][encoder] = float(np.mean(values))
    return facts


def draw(returns: Scores, facts: dict[str, Scores]) -> Figure:
    """Return a plot for each fact: what probes read against what agents earn."""
    figure = Figure(figsize=(3.4 * len(facts), 3.2), layout="constrained")
    colours = {name: f"C{number % 10}" for number, name in enumerate(sorted(returns))}
    for axes, (fact, scores) in zip(
        figure.subplots(1, len(facts), squeeze=False)[0], facts.items(), strict=True
    ):
        for name in sorted(returns.keys() & scores.keys()):
            axes.plot(scores[name], returns[name], "o", color=colours[name])
            axes.annotate(name, (scores[name], returns[name]), fontsize=7)
        axes.set_xlabel(f"{fact}, best probe")
        axes.set_ylabel("return on unseen layouts")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(f"usage: {sys.argv[0]} EPISODES.csv PROBES.csv [PROBES.csv ...] PICTURE.png")
    first, *probed, target = map(Path, sys.argv[1:])
    main(first, probed, target)
