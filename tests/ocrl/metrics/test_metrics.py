"""Segmentation scores against independent implementations, recorded values and invariances."""

from __future__ import annotations

import itertools
import json

import goldens
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torchmetrics.functional.clustering import adjusted_rand_score

from ocrl.data.overlapping import exclusive_ids
from ocrl.errors import UsageError
from ocrl.metrics import (
    AdjustedRandIndex,
    JAndF,
    MeanBestOverlap,
    MeanIoU,
    SegmentationMetric,
    functional,
    hard_segments,
    segmentation_metrics,
)

METRICS = [AdjustedRandIndex, MeanBestOverlap, MeanIoU, JAndF]


def random_pair(seed: int, batch: int = 2, frames: int = 3, size: int = 9) -> tuple[Tensor, Tensor]:
    """Predicted ids and correlated true ids with gaps, background 0 and unlabelled -1."""
    rng = np.random.default_rng(seed)
    predicted = rng.integers(0, rng.integers(1, 6), (batch, frames, size, size))
    names = np.array([0, 3, 4, 17, -1, 4097])
    true = names[np.where(rng.random(predicted.shape) < 0.6, predicted, rng.integers(0, 6))]
    return torch.from_numpy(predicted), torch.from_numpy(true)


def score(metric: SegmentationMetric, predicted: Tensor, true: Tensor) -> float:
    metric.update(predicted, true)
    return float(metric.compute())


def iou(a: np.ndarray, b: np.ndarray) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


def contour(mask: np.ndarray) -> np.ndarray:
    radius = max(1, round(0.02 * float(np.hypot(*mask.shape))))
    square = np.ones((2 * radius + 1,) * 2)
    return mask & ~ndimage.binary_erosion(mask, square, border_value=0)


def f_measure(a: np.ndarray, b: np.ndarray, kept: np.ndarray | bool = True) -> float:
    a, b = contour(a) & kept, contour(b) & kept
    precision = (a & b).sum() / b.sum() if b.any() else 0.0
    recall = (a & b).sum() / a.sum() if a.any() else 0.0
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def best_assignment(values: np.ndarray) -> float:
    """Largest sum over one-to-one assignments, by trying all of them."""
    rows, columns = sorted(values.shape)
    values = values if values.shape == (rows, columns) else values.T
    return max(
        sum(values[i, j] for i, j in enumerate(chosen))
        for chosen in itertools.permutations(range(columns), rows)
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ignore_background", [True, False])
def test_rand_index_equals_torchmetrics(seed: int, ignore_background: bool) -> None:
    predicted, true = random_pair(seed)
    expected = []
    for p, t in zip(predicted, true, strict=True):
        kept = t > 0 if ignore_background else t >= 0
        expected.append(float(adjusted_rand_score(p[kept], t[kept])))
    metric = AdjustedRandIndex(ignore_background=ignore_background)
    assert score(metric, predicted, true) == pytest.approx(np.mean(expected), abs=1e-6)
    assert metric.count == 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ignore_background", [True, False])
def test_overlaps_equal_brute_force(seed: int, ignore_background: bool) -> None:
    predicted, true = random_pair(seed, size=7)
    best, matched, contours = [], [], []
    for p, t in zip(predicted.numpy(), true.numpy(), strict=True):
        things = [i for i in np.unique(t) if i >= (1 if ignore_background else 0)]
        slots = range(p.max() + 1)
        kept = t >= 0
        table = np.array([[iou(t == i, (p == k) & kept) for k in slots] for i in things])
        best.append(table.max(1).mean())
        matched.append(best_assignment(table) / len(things))
        frames = np.array(
            [
                [
                    np.mean(
                        [
                            (iou(tf == i, (pf == k) & o) + f_measure(tf == i, pf == k, o)) / 2
                            for tf, pf, o in zip(t, p, kept, strict=True)
                        ]
                    )
                    for k in slots
                ]
                for i in things
            ]
        )
        contours.append(best_assignment(frames) / len(things))
    options = {"ignore_background": ignore_background}
    assert score(MeanBestOverlap(**options), predicted, true) == pytest.approx(np.mean(best))
    assert score(MeanIoU(**options), predicted, true) == pytest.approx(np.mean(matched))
    assert score(JAndF(**options), predicted, true) == pytest.approx(np.mean(contours))


def test_recorded_scores_of_images_with_overlapping_instances() -> None:
    golden = goldens.load("coco_metrics")
    recorded = json.loads(golden["scores"])
    overlapping = golden["true"][0].bool()
    true = torch.from_numpy(exclusive_ids(overlapping.numpy()))[None, None]
    predicted = golden["pred_ids"][:, None]
    assert score(AdjustedRandIndex(), predicted, true) == pytest.approx(
        recorded["image_ari"], abs=1e-6
    )
    assert score(MeanBestOverlap(), predicted, true) == pytest.approx(
        recorded["image_mbo"], abs=1e-6
    )
    functions = (functional.fg_ari, functional.mbo)
    values = [float(function(predicted, true)) for function in functions]
    assert values == pytest.approx([recorded["image_ari"], recorded["image_mbo"]], abs=1e-6)


def test_boundary_is_two_percent_of_the_diagonal_wide() -> None:
    true = torch.zeros(1, 1, 128, 128, dtype=torch.long)
    true[..., 30:80, 40:90] = 1
    predicted = torch.roll(true, (3, -4), dims=(2, 3))
    expected = (
        iou(true[0, 0].numpy() == 1, predicted[0, 0].numpy() == 1)
        + f_measure(true[0, 0].numpy() == 1, predicted[0, 0].numpy() == 1)
    ) / 2
    assert score(JAndF(), predicted, true) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["slotcontrast_mini", "videosaur_mini_movi", "videosaur_mini_ytvis"]
)
def test_recorded_scores_of_the_official_code(name: str) -> None:
    golden = goldens.load(name)
    masks = golden["decoder_masks"]
    side = round(masks.shape[-1] ** 0.5)
    masks = masks.view(*masks.shape[:-1], side, side)
    true = golden["segmentations_dense"]
    size = (true.shape[-2], true.shape[-1])
    assert torch.equal(hard_segments(masks, size), golden["decoder_masks_hard_argmax"].long())

    metrics = segmentation_metrics()
    metrics.update(masks, true)
    scores = {key: float(value) for key, value in metrics.compute().items()}
    recorded = golden["metrics"]
    for ours, theirs in {
        "fg_ari": "x_ari_fg",
        "ari": "x_ari_all",
        "mbo": "x_mbo_fg",
        "miou": "x_miou_fg",
        "image_fg_ari": "x_image_ari_fg",
        "image_mbo": "x_image_mbo_fg",
    }.items():
        assert scores[ours] == pytest.approx(recorded[theirs], abs=1e-6)
    assert scores["j_and_f"] == pytest.approx(recorded["x_jandf"]["j_and_f"], abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
@pytest.mark.parametrize("metric", METRICS)
def test_names_of_segments_do_not_matter(metric: type[SegmentationMetric], seed: int) -> None:
    predicted, true = random_pair(seed, frames=2, size=6)
    renamed = torch.randperm(9, generator=torch.Generator().manual_seed(seed))[predicted]
    moved = torch.where(true > 0, 5000 - true, true)
    expected = pytest.approx(score(metric(), predicted, true), nan_ok=True)
    assert score(metric(), renamed, moved) == expected


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("video", [True, False])
def test_batch_equals_single_videos(metric: type[SegmentationMetric], video: bool) -> None:
    predicted, true = random_pair(3, batch=4)
    together, apart = metric(video=video), metric(video=video)
    together.update(predicted, true)
    for p, t in zip(predicted, true, strict=True):
        apart.update(p[None], t[None])
    assert float(together.compute()) == pytest.approx(float(apart.compute()))
    assert together.count == apart.count


@pytest.mark.parametrize("metric", METRICS)
def test_image_score_is_the_video_score_of_single_frames(metric: type[SegmentationMetric]) -> None:
    predicted, true = random_pair(4)
    frames = predicted.flatten(0, 1)[:, None], true.flatten(0, 1)[:, None]
    assert score(metric(video=False), predicted, true) == pytest.approx(score(metric(), *frames))


@pytest.mark.parametrize("metric", METRICS)
def test_truth_scores_one_and_swapped_slots_cost_the_video_only(
    metric: type[SegmentationMetric],
) -> None:
    true = torch.zeros(1, 2, 8, 8, dtype=torch.long)
    true[..., :4, :4], true[..., 4:, 4:] = 1, 2
    assert score(metric(), true, true) == pytest.approx(1)
    swapped = true.clone()
    swapped[:, 1] = (3 - true[:, 1]) % 3
    assert score(metric(video=False), swapped, true) == pytest.approx(1)
    assert score(metric(), swapped, true) < 0.7


def test_soft_masks_are_resized_then_hardened() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 3, 4, 5, 5, generator=generator)
    large = torch.nn.functional.interpolate(masks.flatten(0, 1), (11, 7), mode="bilinear")
    expected = large.argmax(1).view(2, 3, 11, 7)
    assert torch.equal(hard_segments(masks, (11, 7)), expected)
    assert torch.equal(hard_segments(expected, (11, 7)), expected)


def test_samples_without_foreground() -> None:
    empty = torch.zeros(1, 1, 4, 4, dtype=torch.long)
    slots = torch.arange(16).view(1, 1, 4, 4) % 3
    perfect, skip = AdjustedRandIndex(), AdjustedRandIndex(empty_foreground="skip")
    assert score(perfect, slots, empty) == 1
    assert perfect.count == 1
    skip.update(slots, empty)
    assert skip.count == 0
    assert skip.compute().isnan()
    unlabelled = AdjustedRandIndex()
    unlabelled.update(slots, empty - 1)
    assert unlabelled.count == 0
    for metric in (MeanBestOverlap(), MeanIoU(), JAndF()):
        metric.update(slots, empty)
        assert metric.count == 0


def test_equal_scores_of_the_first_batch_do_not_merge_metrics() -> None:
    predicted, true = random_pair(5)
    metrics, alone = segmentation_metrics(), MeanBestOverlap()
    perfect = true.clamp(min=0)
    metrics.update(perfect, perfect)
    metrics.update(predicted, true)
    alone.update(perfect, perfect)
    alone.update(predicted, true)
    assert float(metrics.compute()["mbo"]) == float(alone.compute())


@pytest.mark.parametrize(
    ("predicted", "true", "match"),
    [
        (torch.zeros(1, 2, 4, 4).long(), torch.zeros(1, 4, 4).long(), "true segments are integers"),
        (torch.zeros(1, 2, 4, 4).long(), torch.zeros(1, 2, 4, 4), "true segments are integers"),
        (torch.zeros(1, 2, 5, 5).long(), torch.zeros(1, 2, 4, 4).long(), "resize the ids"),
        (torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4).long(), "soft masks"),
        (torch.zeros(1, 2, 4, 4).long() - 1, torch.zeros(1, 2, 4, 4).long(), ">= 0"),
        (torch.zeros(1, 3, 2, 4, 4), torch.zeros(1, 2, 4, 4).long(), "score the same frames"),
    ],
)
def test_bad_input_is_one_clear_line(predicted: Tensor, true: Tensor, match: str) -> None:
    with pytest.raises(UsageError, match=match) as error:
        MeanBestOverlap().update(predicted, true)
    assert "\n" not in str(error.value)
