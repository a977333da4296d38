"""Aggregation and files of transfer results, against hand-made cases."""

import csv

import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode
from ocrl_studies.core.tables import read_curve
from ocrl_studies.transfer.rounds import (
    Round,
    episode_score,
    plot_learning,
    plot_transfer,
    score_matrix,
    summary_rows,
    write_episodes,
)


def episodes(*returns):
    return [
        Episode(
            seed=i, options={"layout": i}, episode_return=value, length=9, scalars={"goals": value}
        )
        for i, value in enumerate(returns)
    ]


PLAYED = [
    Round("slots", 1, "train", episodes(4.0, 6.0)),
    Round("slots", 0, "train", episodes(1.0, 3.0)),
    Round("slots", 0, "layout", episodes(0.0)),
    Round("grid", 0, "train", episodes(7.0)),
]


def test_episodes_are_averaged_per_agent_first_and_ordered_by_seed():
    matrix = score_matrix(PLAYED, "goals")
    assert matrix["slots"]["train"].tolist() == [2.0, 5.0]
    assert matrix["grid"]["train"].tolist() == [7.0]


def test_a_score_that_an_environment_does_not_report_is_unknown():
    assert np.isnan(score_matrix(PLAYED, "spl")["slots"]["train"]).all()


def test_summary_counts_seeds_and_episodes():
    row = summary_rows(PLAYED, ["goals"])[0]
    assert row == {
        "encoder": "slots",
        "condition": "train",
        "seeds": 2,
        "episodes": 4,
        "goals": 3.5,
    }


def test_every_episode_is_a_row(tmp_path):
    write_episodes(tmp_path / "episodes.csv", PLAYED)
    with (tmp_path / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (
        rows[1] | {"encoder": "slots", "agent_seed": "1", "layout": "1", "return": "6.0"} == rows[1]
    )
    assert [path.name for path in tmp_path.iterdir()] == ["episodes.csv"]


def test_curves_skip_rows_without_the_score(tmp_path):
    (tmp_path / "progress.csv").write_text("step,a,b\n10,,1\n20,2.5,\n30,3.5,4\n")
    assert read_curve(tmp_path / "progress.csv", "a") == ([20.0, 30.0], [2.5, 3.5])


def test_plots_show_each_encoder_and_condition():
    axes = plot_transfer(PLAYED, "goals", "goals per episode").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["slots", "grid"]
    heights = sorted(bar.get_height() for bar in axes.patches)
    assert heights == pytest.approx([0.0, 3.5, 7.0])


def test_learning_curves_are_averaged_where_all_seeds_have_been():
    curves = {"slots": [([0, 1, 2], [2, 3, 4]), ([1, 3], [7, 9])], "grid": [([0, 1], [4, 5])]}
    lines = {line.get_label(): line for line in plot_learning(curves).axes[0].lines}
    assert lines["slots"].get_xydata().tolist() == [[1, 5.0]]  # of the coarser one's steps
    assert lines["grid"].get_xydata().tolist() == [[0, 4], [1, 5]]


def test_a_curve_of_one_point_is_seen():
    _, mean = plot_learning({"slots": [([64.0], [26.0])]}).axes[0].lines
    assert mean.get_marker() == "o"
    _, mean = plot_learning({"slots": [([64.0, 128.0], [26.0, 27.0])]}).axes[0].lines
    assert mean.get_marker() != "o"


def test_the_band_of_learning_curves_holds_the_mean_of_the_seeds():
    curves = {"slots": [([0, 1], [s, 2.0 * s]) for s in range(5)]}
    (band,) = plot_learning(curves).axes[0].collections
    low, high = band.get_datalim(plot_learning(curves).axes[0].transData).intervaly
    assert 0 <= low < 2 < 4 < high <= 8


def test_bars_have_whiskers_where_the_interval_is_known():
    played = [Round("slots", s, "train", episodes(v)) for s, v in enumerate([1.0, 2.0, 6.0, 7.0])]
    played += [Round("grid", s, "train", episodes(v)) for s, v in enumerate([3.0, 5.0])]
    axes = plot_transfer(played, "goals", "goals").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [4.0, 4.0]  # the mean of the middle half
    whiskers = [line.get_ydata() for line in axes.lines if line.get_marker() == "None"]
    low, high = whiskers[0]
    assert 1.0 <= low < 4.0 < high <= 7.0
    assert np.isnan(whiskers[1]).all()


def test_a_score_of_one_episode():
    episode = Episode(0, {}, 2.0, 9, {"goals": 1.0})
    assert [episode_score(episode, name) for name in ("return", "length", "goals")] == [2, 9, 1]
    with pytest.raises(UsageError, match="no score 'spl': choose from return, length, goals"):
        episode_score(episode, "spl")
