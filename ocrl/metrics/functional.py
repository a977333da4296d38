"""Scores as functions, for a batch at hand: each is the metric class of the same name.

``masks`` are soft masks (B, T, K, h, w), or segment ids >= 0 (B, T, H, W); ``segments`` are true
segment ids, integers (B, T, H, W), of which 0 is the background and negative ones are left out.
"""

from __future__ import annotations

from torch import Tensor

from ocrl.metrics.base import SegmentationMetric
from ocrl.metrics.boundary import JAndF
from ocrl.metrics.overlap import MeanBestOverlap, MeanIoU
from ocrl.metrics.rand_index import AdjustedRandIndex


def fg_ari(masks: Tensor, segments: Tensor, *, video: bool = True) -> Tensor:
    """Return the adjusted Rand index of the foreground, see `AdjustedRandIndex`.

    >>> import torch
    >>> truth = torch.tensor([0, 0, 5, 9]).view(1, 1, 2, 2)
    >>> fg_ari(torch.tensor([0, 1, 1, 0]).view(1, 1, 2, 2), truth).item()
    1.0
    """
    return _score(AdjustedRandIndex(video), masks, segments)


def ari(masks: Tensor, segments: Tensor, *, video: bool = True) -> Tensor:
    """Return the adjusted Rand index over all segments, see `AdjustedRandIndex`."""
    return _score(AdjustedRandIndex(video, ignore_background=False), masks, segments)


def mbo(
    masks: Tensor, segments: Tensor, *, video: bool = True, ignore_background: bool = True
) -> Tensor:
    """Return the mean best overlap, see `MeanBestOverlap`."""
    return _score(MeanBestOverlap(video, ignore_background), masks, segments)


def miou(
    masks: Tensor, segments: Tensor, *, video: bool = True, ignore_background: bool = True
) -> Tensor:
    """Return the mean IoU after Hungarian matching, see `MeanIoU`."""
    return _score(MeanIoU(video, ignore_background), masks, segments)


def j_and_f(
    masks: Tensor, segments: Tensor, *, video: bool = True, ignore_background: bool = True
) -> Tensor:
    """Return J&F, see `JAndF`."""
    return _score(JAndF(video, ignore_background), masks, segments)


def _score(metric: SegmentationMetric, masks: Tensor, segments: Tensor) -> Tensor:
    metric.to(segments.device).update(masks, segments)
    return metric.compute()
