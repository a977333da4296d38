"""J&F: region overlap and boundary accuracy of matched segments, frame by frame."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.metrics.base import SegmentationMetric, consecutive_ids, count_pairs
from ocrl.metrics.overlap import hungarian, pairwise_iou

BOUNDARY_WIDTH = 0.02  # of the image diagonal


def boundary_pixels(segments: Tensor) -> Tensor:
    """Say which pixels lie on the inner boundary of their segment.

    A pixel is inside when the square of ``BOUNDARY_WIDTH`` around it lies in the image and in
    one segment.

    Args:
        segments: integer ids (N, H, W).

    Returns:
        bool (N, H, W).

    Example:
        >>> boundary_pixels(torch.zeros(1, 4, 4, dtype=torch.long)).int()[0]
        tensor([[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], dtype=torch.int32)
    """
    height, width = segments.shape[-2:]
    reach = 2 * max(1, round(BOUNDARY_WIDTH * math.hypot(height, width)))
    if reach >= min(height, width):
        return torch.ones_like(segments, dtype=torch.bool)
    alike = _all_of_next(segments[:, :, 1:] == segments[:, :, :-1], reach, dim=2)
    below = (segments[:, 1:] == segments[:, :-1])[:, :, : alike.shape[2]]
    inside = _all_of_next(alike, reach + 1, dim=1) & _all_of_next(below, reach, dim=1)
    return F.pad(~inside, (reach // 2,) * 4, value=True)


def _all_of_next(flags: Tensor, number: int, dim: int) -> Tensor:
    """Say where a flag and those after it, ``number`` in all, are true; by doubling the reach."""
    reach = 1
    while reach < number:
        shift = min(reach, number - reach)
        length = flags.shape[dim] - shift
        flags = flags.narrow(dim, 0, length) & flags.narrow(dim, shift, length)
        reach += shift
    return flags


class JAndF(SegmentationMetric):
    """J&F: the mean of region overlap J and boundary F, Hungarian-matched over whole videos.

    J is the IoU, F the F-measure of boundary pixels; both are computed frame by frame and
    averaged over all frames (0 where a segment is absent), then true segments are matched to
    predicted ones by the largest J&F. This is the definition of the official SlotContrast and
    VideoSAUR code, not that of the DAVIS benchmark.

    Args:
        video: score whole videos, or each frame.
        ignore_background: leave the true background out of the matching and of the mean.

    Example:
        >>> metric = JAndF()
        >>> truth = torch.tensor([0, 0, 5, 9]).view(1, 1, 2, 2)
        >>> metric.update(truth, truth)
        >>> metric.compute().item()
        1.0
    """

    def scores(self, segments: Tensor, targets: Tensor) -> Tensor:
        """Return J&F of each sample, float64 (S,), NaN where nothing is true."""
        videos = segments.shape[:2]
        true, true_ids = consecutive_ids(targets.flatten(0, 1))
        predicted = segments.flatten(0, 1)
        tables, contours = overlaps_and_contours(
            true, predicted, int(predicted.max()) + 1, kept=true_ids >= 0
        )
        true_ids = true_ids[true_ids >= 0]
        rows = self.scored_rows(true_ids)
        sizes = tables[:, rows].sum(2).view(*videos, -1)
        frame_scores = (pairwise_iou(tables) + contours)[:, rows] / 2
        agreement = frame_scores.view(*videos, *frame_scores.shape[1:]).mean(1)
        num_present = (sizes.sum(1) > 0).sum(1)
        return (agreement * hungarian(agreement)).sum((1, 2)) / num_present


def overlaps_and_contours(
    true: Tensor, predicted: Tensor, num_predicted: int, kept: Tensor
) -> tuple[Tensor, Tensor]:
    """Compare each true with each predicted segment, and their boundaries.

    Args:
        true: int64 (N, H, W) numbers of true segments.
        predicted: int64 (N, H, W) in [0, num_predicted).
        num_predicted: K.
        kept: bool, which true segments take part; pixels of the others count nowhere. C of them.

    Returns:
        Contingency tables int64 (N, C, K); and the F-measure of each pair of boundaries,
        2 |both| / (|true| + |predicted|), float64 (N, C, K), 0 where both are empty.
    """
    edges = 2 * boundary_pixels(true).byte() + boundary_pixels(predicted).byte()
    # One count of (true, predicted, on which boundary) gives all.
    columns = (4 * predicted + edges).flatten(1)
    counts = count_pairs(true.flatten(1), columns, len(kept), 4 * num_predicted)
    counts = counts.view(-1, len(kept), num_predicted, 4)[:, kept]
    both = counts[..., 3]
    in_true = counts[..., 2:].sum((2, 3))[:, :, None]
    in_predicted = counts[..., 1::2].sum((1, 3))[:, None]
    return counts.sum(3), 2 * both / (in_true + in_predicted).clamp(min=1).double()
