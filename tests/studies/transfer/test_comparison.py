from __future__ import annotations

import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode
from ocrl_studies.transfer.comparison import (
    estimates,
    findings,
    generalisation_gaps,
    normalised,
    pairs,
)
from ocrl_studies.transfer.plots import (
    plot_against,
    plot_estimates,
    plot_generalisation,
    plot_profiles,
)
from ocrl_studies.transfer.rounds import Round


def play(encoder: str, condition: str, *means: float) -> list[Round]:
    """Agents of seeds 0, 1, ... whose two episodes have the given mean."""
    return [
        Round(
            encoder,
            seed,
            condition,
            [Episode(0, {}, mean - 1, 9), Episode(1, {}, mean + 1, 9)],
        )
        for seed, mean in enumerate(means)
    ]


PLAYED = [
    *play("slots", "train", 10.0, 20.0, 30.0, 40.0),
    *play("slots", "layout", 8.0, 18.0, 28.0, 38.0),
    *play("grid", "train", 11.0, 21.0, 31.0, 41.0),
    *play("grid", "layout", 1.0, 2.0, 3.0, 4.0),
    *play("random", "train", 0.0),
    *play("random", "layout", 0.0),
    *play("oracle", "train", 50.0),
    *play("oracle", "layout", 100.0),
]


def test_interquartile_mean_over_seeds() -> None:
    found = estimates(PLAYED, "return")["slots"]["train"]
    assert found.value == 25.0
    assert 10 <= found.low < 25 < found.high <= 40
    assert np.isnan(estimates(PLAYED, "return")["oracle"]["train"].low)


def test_gap_is_paired_by_agent() -> None:
    """Every slot agent loses exactly 2, however much agents differ from each other."""
    gaps = generalisation_gaps(PLAYED, "return")
    assert gaps["slots"] == {"layout": (2.0, 2.0, 2.0)}
    assert gaps["grid"]["layout"].value == pytest.approx(23.5)


def test_normalised_between_random_and_oracle() -> None:
    scores = normalised(PLAYED, "return")
    assert set(scores) == {"slots", "grid"}
    np.testing.assert_allclose(scores["slots"][0], [0.2, 0.08])
    with pytest.raises(UsageError, match="oracle"):
        normalised([p for p in PLAYED if p.encoder != "oracle"], "return")


def test_pairs_and_what_they_allow_one_to_say() -> None:
    (pair,) = [p for p in pairs(PLAYED, "return", "layout") if {*p[:2]} == {"slots", "grid"}]
    assert pair.difference.value == pytest.approx(20.5)
    assert pair.improvement.value == 1.0
    said = " ".join(findings(PLAYED, "return", "layout"))
    assert "slots scores more return than grid, by 20.50" in said
    assert "too few to compare" in said
    equal = [*play("a", "layout", 1.0, 5.0, 3.0), *play("b", "layout", 5.0, 1.0, 3.0)]
    assert "cannot be told apart" in findings(equal, "return", "layout")[0]
    worse = [*play("a", "layout", 1.0, 1.0, 1.5), *play("b", "layout", 3.0, 3.0, 3.0)]
    assert (
        "b scores more return than a, by 1.83 [1.50, 2.00]"
        in (findings(worse, "return", "layout")[0])
    )


def test_the_first_is_compared_with_the_second_whatever_their_seeds() -> None:
    """A cell of the first encoder that is missing, seed 0, does not turn the table around."""
    slots = play("slots", "layout", 10.0, 11.0, 12.0, 13.0)[1:]
    (pair,) = pairs([*slots, *play("grid", "layout", 1.0, 2.0, 3.0, 4.0)], "return", "layout")
    assert pair[:2] == ("slots", "grid")
    assert pair.difference.value == pytest.approx(9.5)


def test_plots_show_what_is_known() -> None:
    axes = plot_estimates(estimates(PLAYED, "return"), "return").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(
        estimates(PLAYED, "return")
    )
    profile = plot_profiles(normalised(PLAYED, "return")).axes[0]
    assert [line.get_label() for line in profile.lines] == ["slots", "grid"]
    assert profile.lines[0].get_ydata()[0] == 1.0
    assert profile.lines[1].get_ydata()[-1] == 0.0
    seeds = np.array([1.0, 2.0, 3.0])
    curve = plot_generalisation({"slots": {1: (seeds, seeds), 10: (seeds, seeds + 1)}}, "goals")
    assert curve.axes[0].lines[1].get_ydata().tolist() == [2.0, 3.0]
    points = plot_against([("slots", 0.5, 1.0)], "FG-ARI", "goals").axes[0].lines
    assert points[0].get_xydata().tolist() == [[0.5, 1.0]]
