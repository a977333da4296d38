"""Further numbers of the same episodes: normalised scores, and conditions taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode
from ocrl_studies.core.statistics import normalise
from ocrl_studies.transfer.comparison import ORACLE, RANDOM
from ocrl_studies.transfer.rounds import Round, episode_score, score_matrix

NORMALISED = "normalised "


def with_normalised(played: Sequence[Round], score: str) -> list[Round]:
    """Add to each episode its score between that of a random agent (0) and of an oracle (1).

    Both are means over the episodes of their condition. The new score is called
    ``normalised <score>``; being linear in the old one, its means are the normalised means.

    Raises:
        UsageError: the random agent or the oracle did not play under a condition.

    >>> def agent(name, value):
    ...     return Round(name, 0, "train", [Episode(0, {}, value, 9)])
    >>> played = [agent("random", 2.0), agent("slots", 5.0), agent("oracle", 10.0)]
    >>> [p.episodes[0].scalars for p in with_normalised(played, "return")]
    [{'normalised return': 0.0}, {'normalised return': 0.375}, {'normalised return': 1.0}]
    """
    matrix = score_matrix(played, score)

    def reference(name: str, condition: str) -> float:
        if condition not in matrix.get(name, {}):
            raise UsageError(
                f"there are no episodes of the {name} agent under {condition} to normalise by: "
                "play them first"
            )
        return float(matrix[name][condition].mean())

    def add(episode: Episode, worst: float, best: float) -> Episode:
        value = float(normalise(np.array(episode_score(episode, score)), worst, best))
        return replace(episode, scalars={**episode.scalars, f"{NORMALISED}{score}": value})

    added = []
    for p in played:
        worst, best = (reference(name, p.condition) for name in (RANDOM, ORACLE))
        added.append(replace(p, episodes=[add(episode, worst, best) for episode in p.episodes]))
    return added


def with_pool(played: Sequence[Round], conditions: Sequence[str], name: str) -> list[Round]:
    """Add a condition that holds the episodes of several.

    Conditions of equally many episodes weigh the same in it.

    >>> played = [Round("slots", 0, c, [Episode(0, {}, 1.0, 9)]) for c in ("layout", "size")]
    >>> [(p.condition, len(p.episodes)) for p in with_pool(played, ["layout", "size"], "unseen")]
    [('layout', 1), ('size', 1), ('unseen', 2)]
    """
    pools: dict[tuple[str, int], list[Episode]] = {}
    for p in played:
        if p.condition in conditions:
            pools.setdefault((p.encoder, p.seed), []).extend(p.episodes)
    pooled = [Round(encoder, seed, name, e) for (encoder, seed), e in pools.items()]
    return [*played, *pooled]
