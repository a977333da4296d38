"""Mean best overlap and mean IoU: how well does a mask cover each thing?"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ocrl.metrics.base import SegmentationMetric, contingency_tables


def pairwise_iou(tables: Tensor) -> Tensor:
    """Return intersection over union of each true with each predicted segment.

    Args:
        tables: counts (S, C, K) over all pixels that take part, the background included.

    Returns:
        float64 (S, C, K), 0 where both are empty.

    Example:
        >>> pairwise_iou(torch.tensor([[[2, 0], [1, 1]]]))
        tensor([[[0.6667, 0.0000], [0.2500, 0.5000]]], dtype=torch.float64)
    """
    shared = tables.double()
    union = shared.sum(2, keepdim=True) + shared.sum(1, keepdim=True) - shared
    return shared / union.clamp(min=1)


def hungarian(values: Tensor) -> Tensor:
    """Match rows to columns one to one so that the sum is largest.

    Args:
        values: float (S, C, K).

    Returns:
        bool (S, C, K), True at the min(C, K) matched pairs of each sample.
    """
    matched = torch.zeros_like(values, dtype=torch.bool)
    for sample, table in zip(matched, values.cpu().numpy(), strict=True):
        rows, columns = linear_sum_assignment(table, maximize=True)
        sample[torch.as_tensor(rows), torch.as_tensor(columns)] = True
    return matched


class _MeanOverlap(SegmentationMetric):
    """Mean over true segments of their IoU with the segment they are matched to.

    Args:
        video: score whole videos, or each frame.
        ignore_background: leave the true background out of the mean.
        pixels: of a sample's true segments, only those of at least so many pixels, and fewer than
            the second number, take part in the mean.
    """

    def __init__(
        self,
        video: bool = True,
        ignore_background: bool = True,
        pixels: tuple[float, float] = (1, math.inf),
    ) -> None:
        super().__init__(video, ignore_background)
        self.pixels = pixels

    def scores(self, segments: Tensor, targets: Tensor) -> Tensor:
        """Return the mean overlap of each sample, float64 (S,), NaN where nothing is true."""
        tables, true_ids = contingency_tables(segments.flatten(1), targets.flatten(1))
        tables, true_ids = tables[:, true_ids >= 0], true_ids[true_ids >= 0]
        rows = self.scored_rows(true_ids)
        overlaps = self.matched(pairwise_iou(tables)[:, rows])
        sizes = tables[:, rows].sum(2)
        counted = (sizes >= self.pixels[0]) & (sizes < self.pixels[1])
        return (overlaps * counted).sum(1) / counted.sum(1)

    @abstractmethod
    def matched(self, iou: Tensor) -> Tensor:
        """Return the IoU that each true segment is given: (S, C, K) to (S, C)."""


class MeanBestOverlap(_MeanOverlap):
    """mBO: each true segment with the predicted segment that covers it best.

    One predicted segment may serve several true ones. Samples without true segments are left out.

    Args:
        video: score whole videos, or each frame.
        ignore_background: leave the true background out of the mean.
        pixels: only true segments of at least so many pixels, and fewer than the second number.

    Example:
        >>> metric = MeanBestOverlap()
        >>> truth = torch.tensor([0, 0, 5, 9]).view(1, 1, 2, 2)
        >>> metric.update(torch.tensor([0, 0, 1, 1]).view(1, 1, 2, 2), truth)
        >>> metric.compute().item()
        0.5
    """

    def matched(self, iou: Tensor) -> Tensor:
        """Return the best IoU of each true segment."""
        return iou.amax(2)


class MeanIoU(_MeanOverlap):
    """Mean IoU after Hungarian matching: each predicted segment serves one true segment at most.

    Samples without true segments are left out.

    Args:
        video: score whole videos, or each frame.
        ignore_background: leave the true background out of the matching and of the mean.
        pixels: only true segments of at least so many pixels, and fewer than the second number.

    Example:
        >>> metric = MeanIoU()
        >>> truth = torch.tensor([0, 0, 5, 9]).view(1, 1, 2, 2)
        >>> metric.update(torch.tensor([0, 0, 1, 1]).view(1, 1, 2, 2), truth)
        >>> metric.compute().item()
        0.25
    """

    def matched(self, iou: Tensor) -> Tensor:
        """Return the IoU of each true segment with its partner, 0 without one."""
        return (iou * hungarian(iou)).sum(2)
