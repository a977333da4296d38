"""Scores of segmentations against ground truth, as torchmetrics metrics."""

from __future__ import annotations

from ocrl.extras import name_extras

with name_extras():
    from torchmetrics import MetricCollection

    from ocrl.metrics.base import SegmentationMetric, hard_segments
    from ocrl.metrics.boundary import JAndF
    from ocrl.metrics.identity import SlotIdentity
    from ocrl.metrics.overlap import MeanBestOverlap, MeanIoU
    from ocrl.metrics.rand_index import AdjustedRandIndex
    from ocrl.metrics.tracking import CountingAccuracy, TrackingAccuracy

__all__ = [
    "AdjustedRandIndex",
    "CountingAccuracy",
    "JAndF",
    "MeanBestOverlap",
    "MeanIoU",
    "SegmentationMetric",
    "SlotIdentity",
    "TrackingAccuracy",
    "hard_segments",
    "segmentation_metrics",
]


def segmentation_metrics() -> MetricCollection:
    """Return the scores that papers report, of whole videos and (``image_``) of single frames.

    Judge by several: at small resolutions even block masks have a high image FG-ARI. All of them
    take soft masks; ``hard_segments`` before ``update`` resizes those once instead of nine times.

    Example:
        >>> sorted(segmentation_metrics())
        ['ari', 'fg_ari', 'image_ari', 'image_fg_ari', 'image_mbo', 'image_miou',
         'j_and_f', 'mbo', 'miou']
    """
    return MetricCollection(
        {
            "fg_ari": AdjustedRandIndex(),
            "ari": AdjustedRandIndex(ignore_background=False),
            "mbo": MeanBestOverlap(),
            "miou": MeanIoU(),
            "j_and_f": JAndF(),
            "image_fg_ari": AdjustedRandIndex(video=False),
            "image_ari": AdjustedRandIndex(video=False, ignore_background=False),
            "image_mbo": MeanBestOverlap(video=False),
            "image_miou": MeanIoU(video=False),
        },
        compute_groups=False,
    )
