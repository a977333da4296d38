"""What all segmentation scores share: hard segments, contingency tables, means over samples."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from ocrl.errors import UsageError


def hard_segments(predictions: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn predicted masks into one segment id per pixel of the ground truth.

    Soft masks are resized bilinearly to the ground truth's size, then each pixel goes to its
    strongest mask, as in the official SlotContrast and VideoSAUR code.

    Args:
        predictions: soft masks (B, T, K, h, w), or segment ids >= 0, integers (B, T, H, W).
        size: (H, W) of the ground truth.

    Returns:
        int64 (B, T, H, W).

    Raises:
        UsageError: neither masks nor ids of the ground truth's size.

    Example:
        >>> hard_segments(torch.eye(2).view(1, 1, 2, 1, 2), size=(2, 4))[0, 0]
        tensor([[0, 0, 1, 1], [0, 0, 1, 1]])
    """
    if predictions.ndim == 5:
        masks = F.interpolate(predictions.flatten(0, 1).float(), size, mode="bilinear")
        # max(...).indices is argmax, eight times faster on the CPU.
        return masks.max(dim=1).indices.view(*predictions.shape[:2], *size)
    if predictions.ndim == 4 and predictions.shape[-2:] == size:
        if predictions.is_floating_point() or (predictions.numel() and predictions.min() < 0):
            raise UsageError(
                f"predicted segment ids are integers >= 0, got {predictions.dtype} from "
                f"{predictions.min().item()}: pass argmax ids, or soft masks (B, T, K, h, w)"
            )
        return predictions.long()
    raise UsageError(
        f"predictions are soft masks (B, T, K, h, w) or ids (B, T, {size[0]}, {size[1]}), "
        f"got shape {tuple(predictions.shape)}: add the missing axes, or resize the ids"
    )


def contingency_tables(segments: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Count the pixels that each pair of true and predicted segments shares.

    Args:
        segments: predicted ids >= 0, integers (S, P): P pixels of each of S samples.
        targets: true ids, integers (S, P).

    Returns:
        Tables int64 (S, C, K), and the true id of each of the C rows, ascending, int64 (C,).

    Example:
        >>> contingency_tables(torch.tensor([[0, 0, 1]]), torch.tensor([[7, 9, 9]]))
        (tensor([[[1, 0], [1, 1]]]), tensor([7, 9]))
    """
    rows, true_ids = consecutive_ids(targets)
    return count_pairs(rows, segments, len(true_ids), int(segments.max()) + 1), true_ids


def consecutive_ids(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Number the ids that occur from 0 on, in ascending order.

    Args:
        ids: integers (...).

    Returns:
        int64 (...) numbers, and the id behind each number, int64 (C,).
    """
    lowest = int(ids.min())
    places = ids.long() - lowest
    present = torch.bincount(places.flatten()) > 0
    # take(...) is indexing, three times faster on the CPU.
    numbers = (present.cumsum(0) - 1).take(places)
    return numbers, present.nonzero().squeeze(1) + lowest


def count_pairs(
    rows: Tensor, columns: Tensor, num_rows: int, num_columns: int, where: Tensor | None = None
) -> Tensor:
    """Count how often each (row, column) occurs in each sample.

    One ``bincount`` for all samples: about 60 times faster than one-hot masks and an einsum.

    Args:
        rows: int64 (S, P) in [0, num_rows).
        columns: int64 (S, P) in [0, num_columns).
        num_rows: C.
        num_columns: K.
        where: bool (S, P), the pixels to count; all by default.

    Returns:
        int64 (S, C, K).
    """
    samples = torch.arange(len(rows), device=rows.device).unsqueeze(1)
    cells = (samples * num_rows + rows) * num_columns + columns
    cells = cells.flatten() if where is None else cells[where]
    counts = torch.bincount(cells, minlength=len(rows) * num_rows * num_columns)
    return counts.view(len(rows), num_rows, num_columns)


class SegmentationMetric(Metric, ABC):
    """Mean of a score over videos, or over frames, kept in double precision.

    ``update(predictions, targets)`` takes soft masks (B, T, K, h, w) or segment ids (B, T, H, W),
    and true segment ids (B, T, H, W), integers. True id 0 is the background; pixels with a
    negative true id, such as PASCAL VOC's borders or where COCO's instances overlap, are left out
    of every count. ``count`` says how many samples were scored.

    In a ``MetricCollection``, pass ``compute_groups=False``: torchmetrics merges metrics whose
    states happen to agree after the first batch, and perfect scores do.

    Args:
        video: True scores whole videos, so that a segment must keep its id over time; False
            scores each frame on its own.
        ignore_background: leave the true background out of the score.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    total: Tensor
    num_scored: Tensor

    def __init__(self, video: bool = True, ignore_background: bool = True) -> None:
        super().__init__()
        self.video = video
        self.ignore_background = ignore_background
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_scored", torch.tensor(0), dist_reduce_fx="sum")

    @property
    def count(self) -> int:
        """How many videos (or frames) have been scored so far on this process."""
        return int(self.num_scored)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Score a batch.

        Args:
            predictions: soft masks (B, T, K, h, w), or segment ids >= 0 (B, T, H, W).
            targets: true segment ids, integers (B, T, H, W).

        Raises:
            UsageError: shapes or types that do not fit.
        """
        check_targets(targets)
        size = (targets.shape[-2], targets.shape[-1])
        segments = hard_segments(predictions, size)
        if segments.shape != targets.shape:
            raise UsageError(
                f"predictions are for (B, T) = {tuple(segments.shape[:2])}, the ground truth for "
                f"{tuple(targets.shape[:2])}: score the same frames"
            )
        if not self.video:
            segments, targets = segments.flatten(0, 1)[:, None], targets.flatten(0, 1)[:, None]
        scores = self.scores(segments, targets)
        scored = ~scores.isnan()
        self.total += scores[scored].sum()
        self.num_scored += scored.sum()

    @abstractmethod
    def scores(self, segments: Tensor, targets: Tensor) -> Tensor:
        """Score each sample: ids (S, T, H, W) each to float64 (S,), NaN where there is nothing."""

    def compute(self) -> Tensor:
        """Return the mean over all scored samples, NaN if there were none."""
        return self.total / self.num_scored

    def scored_rows(self, true_ids: Tensor) -> Tensor:
        """Say which true segments take part in the score, bool (C,)."""
        return true_ids > 0 if self.ignore_background else true_ids >= 0


def check_targets(targets: Tensor) -> None:
    """Raise UsageError unless ``targets`` are integer ids (B, T, H, W) with a pixel at least."""
    if targets.ndim != 4 or targets.is_floating_point() or targets.numel() == 0:
        raise UsageError(
            f"true segments are integers (B, T, H, W), got {targets.dtype} {tuple(targets.shape)}: "
            "add the missing axes, or argmax one-hot masks"
        )
