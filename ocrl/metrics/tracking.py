"""Tracking scores: are things found, and are they followed without being mistaken?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchmetrics import Metric

from ocrl.metrics.base import check_targets, consecutive_ids, count_pairs, hard_segments
from ocrl.metrics.overlap import pairwise_iou

EVENTS = ("misses", "false_positives", "switches", "matches", "objects")


class TrackingAccuracy(Metric):
    """Multiple object tracking accuracy (MOTA), with its parts (Bernardin and Stiefelhagen 2008).

        MOTA = 1 - (misses + false positives + switches) / objects

    In each frame, objects (true segments with id > 0) and predicted segments are matched one to one
    where they share an IoU of at least ``min_iou``: a pair of the frame before stays a pair as long
    as it may, the rest is matched for the largest total IoU. An object without a match is a miss, a
    predicted segment without one a false positive, and a match to another segment than the last one
    that the object had a switch. ``motp`` is the mean IoU of the matches.

    Args:
        min_iou: from which on a segment may stand for an object.
        min_area: share of the image from which on a predicted segment counts.
        background: which predicted segment is the background, counted from the last one if it is
            negative, as -1 is for encoders whose tokens are objects alone. None: the one that
            covers most of the true background in the whole video.

    Example:
        >>> truth = torch.tensor([[0, 1, 2], [0, 1, 2]]).view(1, 2, 1, 3)
        >>> found = torch.tensor([[3, 1, 2], [3, 2, 2]]).view(1, 2, 1, 3)
        >>> metric = TrackingAccuracy(background=3)
        >>> metric.update(found, truth)
        >>> metric.compute()["mota"]
        tensor(0.7500, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    counts: Tensor
    total_iou: Tensor

    def __init__(
        self, min_iou: float = 0.5, min_area: float = 0.002, background: int | None = None
    ) -> None:
        super().__init__()
        self.min_iou = min_iou
        self.min_area = min_area
        self.background = background
        self.add_state("counts", torch.zeros(len(EVENTS)).double(), dist_reduce_fx="sum")
        self.add_state("total_iou", torch.tensor(0.0).double(), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Count what happens in a batch of videos.

        Args:
            predictions: soft masks (B, T, K, h, w), or segment ids >= 0 (B, T, H, W).
            targets: true segment ids, integers (B, T, H, W); 0 is the background, pixels of
                negative ones count nowhere.

        Raises:
            UsageError: shapes or types that do not fit.
        """
        check_targets(targets)
        size = (targets.shape[-2], targets.shape[-1])
        segments = hard_segments(predictions, size)
        num_segments = predictions.shape[2] if predictions.ndim == 5 else int(segments.max()) + 1
        for video, truth in zip(segments, targets, strict=True):
            rows, true_ids = consecutive_ids(truth.flatten(1))
            tables = count_pairs(rows, video.flatten(1), len(true_ids), num_segments)
            kept = true_ids >= 0
            self._count(tables[:, kept], true_ids[kept], size[0] * size[1])

    def _count(self, tables: Tensor, true_ids: Tensor, num_pixels: int) -> None:
        objects = true_ids > 0
        background = self.background
        if background is None:
            background = int(tables[:, ~objects].sum((0, 1)).argmax())
        areas = tables.sum(1)
        areas[:, background] = 0
        overlaps = pairwise_iou(tables)[:, objects]
        overlaps[..., background] = 0
        counts, total_iou = tracking_events(
            overlaps.cpu().numpy(),
            (tables[:, objects].sum(2) > 0).cpu().numpy(),
            (areas >= max(self.min_area * num_pixels, 1)).cpu().numpy(),
            self.min_iou,
        )
        self.counts += torch.tensor(counts).to(self.counts)
        self.total_iou += total_iou

    @property
    def count(self) -> int:
        """How many objects there were, in all frames."""
        return int(self.counts[EVENTS.index("objects")])

    def compute(self) -> dict[str, Tensor]:
        """Return ``mota``, ``motp``, and misses, false positives and switches per object."""
        misses, false_positives, switches, matches, objects = self.counts
        errors = misses + false_positives + switches
        return {
            "mota": 1 - errors / objects,
            "motp": self.total_iou / matches,
            "misses": misses / objects,
            "false_positives": false_positives / objects,
            "switches": switches / objects,
        }


def tracking_events(
    overlaps: NDArray[np.floating],
    visible: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    min_iou: float,
) -> tuple[list[int], float]:
    """Count misses, false positives, switches, matches and objects in one video.

    Args:
        overlaps: IoU of each object with each predicted segment in each frame, (T, C, K).
        visible: whether each object is there, (T, C).
        predicted: whether each segment is, (T, K).
        min_iou: from which on a segment may stand for an object.

    Returns:
        Counts in the order of ``EVENTS``, and the sum of the matches' IoU.
    """
    misses = false_positives = switches = matches = 0
    total_iou = 0.0
    last: dict[int, int] = {}  # the segment that each object was matched to last
    pairs: dict[int, int] = {}  # of the frame before
    for overlap, there, found in zip(overlaps, visible, predicted, strict=True):
        allowed = (overlap >= min_iou) & there[:, None] & found
        pairs = {thing: segment for thing, segment in pairs.items() if allowed[thing, segment]}
        free = allowed.copy()
        free[list(pairs)] = False
        free[:, list(pairs.values())] = False
        gain = np.where(free, 1 + overlap, 0)
        for thing, segment in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if free[thing, segment]:
                pairs[int(thing)] = int(segment)
        switches += sum(last.get(thing, segment) != segment for thing, segment in pairs.items())
        last.update(pairs)
        matches += len(pairs)
        misses += int(there.sum()) - len(pairs)
        false_positives += int(found.sum()) - len(pairs)
        total_iou += sum(float(overlap[pair]) for pair in pairs.items())
    return [misses, false_positives, switches, matches, int(visible.sum())], total_iou


class CountingAccuracy(Metric):
    """Share of frames whose number of objects is predicted exactly (AIR, arXiv 1603.08575).

    Example:
        >>> metric = CountingAccuracy()
        >>> metric.update(torch.tensor([2, 1, 0]), torch.tensor([2, 1, 1]))
        >>> metric.compute()
        tensor(0.6667, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    right: Tensor
    number: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0.0).double(), dist_reduce_fx="sum")
        self.add_state("number", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Count a batch of frames.

        Args:
            predictions: how many objects are found, integers (...).
            targets: how many there are, integers (...).
        """
        self.right += (predictions == targets).sum()
        self.number += targets.numel()

    def compute(self) -> Tensor:
        """Return the share, NaN if no frame was counted."""
        return self.right / self.number
