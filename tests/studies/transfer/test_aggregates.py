"""Normalised scores and pooled conditions, against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode
from ocrl_studies.transfer.aggregates import with_normalised, with_pool
from ocrl_studies.transfer.comparison import estimates, generalisation_gaps, normalised
from ocrl_studies.transfer.rounds import Round, score_matrix


def play(encoder: str, condition: str, *seeds: tuple[float, ...]) -> list[Round]:
    """Agents of seeds 0, 1, ... with episodes of the given returns."""
    return [
        Round(encoder, seed, condition, [Episode(i, {}, r, 9) for i, r in enumerate(returns)])
        for seed, returns in enumerate(seeds)
    ]


PLAYED = [
    *play("slots", "train", (10.0, 20.0), (30.0, 50.0)),
    *play("slots", "layout", (5.0, 5.0), (6.0, 8.0)),
    *play("slots", "size", (1.0, 2.0), (3.0, 5.0)),
    *play("random", "train", (0.0, 10.0)),
    *play("random", "layout", (1.0, 1.0)),
    *play("random", "size", (0.0, 0.0)),
    *play("oracle", "train", (100.0, 110.0)),
    *play("oracle", "layout", (11.0, 11.0)),
    *play("oracle", "size", (10.0, 10.0)),
]


def test_normalised_means_are_those_of_the_normalised_matrix() -> None:
    matrix = score_matrix(with_normalised(PLAYED, "return"), "normalised return")
    columns = np.stack(list(matrix["slots"].values()), axis=1)
    np.testing.assert_allclose(columns, normalised(PLAYED, "return")["slots"])
    np.testing.assert_allclose(columns[0], [0.1, 0.4, 0.15])
    assert [v.tolist() for v in matrix["random"].values()] == [[0.0]] * 3
    assert [v.tolist() for v in matrix["oracle"].values()] == [[1.0]] * 3


def test_other_scores_stay_as_they_were() -> None:
    before, after = score_matrix(PLAYED, "return"), with_normalised(PLAYED, "return")
    for encoder, row in score_matrix(after, "return").items():
        for condition, seeds in row.items():
            np.testing.assert_array_equal(seeds, before[encoder][condition])


def test_without_an_oracle_there_is_nothing_to_normalise_by() -> None:
    without = [p for p in PLAYED if (p.encoder, p.condition) != ("oracle", "size")]
    with pytest.raises(UsageError, match="oracle agent under size"):
        with_normalised(without, "return")


def test_a_score_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no score 'succes': choose from return, length"):
        with_normalised(PLAYED, "succes")


def test_a_pool_is_the_mean_of_its_conditions_for_each_agent() -> None:
    pooled = with_pool(PLAYED, ["layout", "size"], "unseen")
    seeds = score_matrix(pooled, "return")["slots"]["unseen"]
    np.testing.assert_allclose(seeds, [(5 + 1.5) / 2, (7 + 4) / 2])
    gap = generalisation_gaps(pooled, "return")["slots"]["unseen"]
    assert gap.value == pytest.approx((15 - 3.25 + 40 - 5.5) / 2)
    assert np.isnan(gap.low)
    assert set(estimates(pooled, "return")["slots"]) == {"train", "layout", "size", "unseen"}
