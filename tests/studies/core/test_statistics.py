from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ocrl.errors import UsageError
from ocrl_studies.core.statistics import (
    Estimate,
    bootstrap_band,
    iqm,
    mean,
    mean_difference,
    normalise,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
)

matrices = arrays(
    np.float64,
    st.tuples(st.integers(1, 7), st.integers(1, 5)),
    elements=st.floats(-10, 10, width=16),
)


@given(matrices)
def test_iqm_equals_scipys_trimmed_mean(scores: np.ndarray) -> None:
    expected = scipy.stats.trim_mean(scores, proportiontocut=0.25, axis=None)
    assert float(iqm(scores)) == pytest.approx(expected, abs=1e-9)


@given(matrices, matrices)
def test_probability_of_improvement_equals_mann_whitney(x: np.ndarray, y: np.ndarray) -> None:
    tasks = min(x.shape[1], y.shape[1])
    expected = [
        scipy.stats.mannwhitneyu(x[:, t], y[:, t]).statistic / (len(x) * len(y))
        for t in range(tasks)
    ]
    x, y = x[:, :tasks], y[:, :tasks]
    assert float(probability_of_improvement(x, y)) == pytest.approx(np.mean(expected))
    assert float(probability_of_improvement(x, y) + probability_of_improvement(y, x)) == (
        pytest.approx(1.0)
    )


@given(matrices)
def test_optimality_gap_and_profile_by_brute_force(scores: np.ndarray) -> None:
    values = scores.ravel().tolist()
    gap = np.mean([max(0.5 - value, 0.0) for value in values])
    assert float(optimality_gap(scores, target=0.5)) == pytest.approx(gap)
    thresholds = np.array([-1.0, 0.0, 2.5])
    counted = [np.mean([value > threshold for value in values]) for threshold in thresholds]
    np.testing.assert_allclose(performance_profile(scores, thresholds), counted)


@pytest.mark.parametrize("statistic", [mean, iqm, optimality_gap])
def test_statistics_treat_leading_axes_one_by_one(statistic: object) -> None:
    scores = np.random.default_rng(0).random((4, 3, 5, 6))
    assert callable(statistic)
    one_by_one = [[statistic(scores[i, j]) for j in range(3)] for i in range(4)]
    np.testing.assert_allclose(statistic(scores), one_by_one)


def test_interval_of_a_mean_equals_scipys_bootstrap() -> None:
    scores = np.random.default_rng(1).normal(size=(12, 1))
    ours = stratified_bootstrap(mean, scores, num_resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (scores[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=0
    ).confidence_interval
    assert ours.value == pytest.approx(scores.mean())
    np.testing.assert_allclose((ours.low, ours.high), theirs, atol=0.02)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    hits = []
    for trial in range(300):
        scores = generator.normal(size=(10, 4))
        estimate = stratified_bootstrap(mean, scores, num_resamples=400, seed=trial)
        hits.append(estimate.low <= 0 <= estimate.high)
    assert 0.88 < np.mean(hits) < 0.98


def test_strata_do_not_mix() -> None:
    """Tasks of very different levels do not widen the interval of their mean."""
    noise = np.random.default_rng(3).normal(size=(8, 1)) * 0.01
    scores = np.concatenate([noise, 100 + noise[::-1]], axis=1)
    estimate = stratified_bootstrap(mean, scores)
    assert estimate.high - estimate.low < 0.05


def test_rows_stay_together() -> None:
    """Runs that are lucky or unlucky in all tasks: more tasks make their mean no surer."""
    luck = np.random.default_rng(7).normal(size=(8, 1))
    scores = np.repeat(luck, 20, axis=1)
    one = stratified_bootstrap(mean, luck)
    rows = stratified_bootstrap(mean, scores, by_row=True)
    np.testing.assert_allclose(rows, one)
    apart = stratified_bootstrap(mean, scores)
    assert apart.high - apart.low < 0.5 * (one.high - one.low)


def test_pairs_stay_together() -> None:
    """Runs that differ much from each other, but each by the same from its pair."""
    scores = np.random.default_rng(4).normal(size=(6, 2)) * 10
    paired = stratified_bootstrap(mean_difference, scores + 1, scores, paired=True)
    np.testing.assert_allclose(paired, (1, 1, 1))
    apart = stratified_bootstrap(mean_difference, scores + 1, scores)
    assert apart.high - apart.low > 2


def test_same_seed_gives_the_same_interval() -> None:
    scores = np.random.default_rng(5).random((5, 3))
    assert stratified_bootstrap(iqm, scores) == stratified_bootstrap(iqm, scores)
    assert stratified_bootstrap(iqm, scores) != stratified_bootstrap(iqm, scores, seed=1)


def test_too_few_runs_leave_the_interval_unknown() -> None:
    estimate = stratified_bootstrap(iqm, np.array([[0.3, 0.3], [0.5, 0.5]]))
    assert estimate.value == pytest.approx(0.4)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert str(estimate) == "0.40 [unknown]"
    low, high = bootstrap_band(lambda s: performance_profile(s, np.zeros(4)), np.ones((1, 2)))
    assert low.shape == high.shape == (4,)
    assert np.isnan(low).all()
    lopsided = stratified_bootstrap(probability_of_improvement, np.ones((5, 1)), np.ones((2, 1)))
    assert np.isnan(lopsided.low)


def test_unknown_scores_stay_unknown() -> None:
    scores = np.array([[0.1], [np.nan], [0.3], [0.2]])
    assert np.isnan(stratified_bootstrap(mean, scores)).all()


def test_normalisation_maps_random_to_zero_and_oracle_to_one() -> None:
    worst, best = np.array([1.0, -2.0]), np.array([11.0, 2.0])
    np.testing.assert_allclose(normalise(np.stack([worst, best]), worst, best), [[0, 0], [1, 1]])
    with pytest.raises(UsageError, match="not above the worst"):
        normalise(np.ones((2, 1)), worst=1.0, best=1.0)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="average over episodes"):
        stratified_bootstrap(mean, np.ones(5))
    with pytest.raises(UsageError, match="one shape"):
        stratified_bootstrap(mean_difference, np.ones((5, 1)), np.ones((4, 1)), paired=True)


def test_agrees_with_rliable() -> None:
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    scores = np.random.default_rng(6).random((5, 8))
    point, interval = library.get_interval_estimates(
        {"a": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=2000
    )
    ours = stratified_bootstrap(iqm, scores)
    assert ours == pytest.approx(Estimate(point["a"][0], *interval["a"][:, 0]), abs=0.01)
