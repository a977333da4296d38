"""J&F: region overlap and boundary accuracy of matched segments, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Callable

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
    radius = max(1, round(BOUNDARY_WIDTH * math.hypot(height, width)))
    ids, _ = consecutive_ids(segments)
    framed = F.pad(ids.int(), (radius,) * 4, value=-1)
    side = 2 * radius + 1
    return _square_filter(framed, side, torch.minimum) != _square_filter(
        framed, side, torch.maximum
    )


def _square_filter(images: Tensor, side: int, pick: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Reduce each square of an image (N, H, W) to one pixel, by doubling the reach of ``pick``."""
    for dim in (1, 2):
        reach = 1
        while reach < side:
            shift = min(reach, side - reach)
            length = images.shape[dim] - shift
            images = pick(images.narrow(dim, 0, length), images.narrow(dim, shift, length))
            reach += shift
    return images


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
        shape = (len(true_ids), int(predicted.max()) + 1)
        tables = count_pairs(true.flatten(1), predicted.flatten(1), *shape)
        contours = boundary_f_measure(true, predicted, *shape)

        rows = self.scored_rows(true_ids)
        sizes = tables[:, rows].sum(2).view(*videos, -1)
        frame_scores = (pairwise_iou(tables) + contours)[:, rows] / 2
        agreement = frame_scores.view(*videos, *frame_scores.shape[1:]).mean(1)
        num_present = (sizes.sum(1) > 0).sum(1)
        return (agreement * hungarian(agreement)).sum((1, 2)) / num_present


def boundary_f_measure(
    true: Tensor, predicted: Tensor, num_true: int, num_predicted: int
) -> Tensor:
    """Return the F-measure of each pair of boundaries, 2 |both| / (|true| + |predicted|).

    Args:
        true: int64 (N, H, W) in [0, num_true).
        predicted: int64 (N, H, W) in [0, num_predicted).
        num_true: C.
        num_predicted: K.

    Returns:
        float64 (N, C, K), 0 where both boundaries are empty.
    """
    true_edge = boundary_pixels(true).flatten(1)
    predicted_edge = boundary_pixels(predicted).flatten(1)
    rows, columns = true.flatten(1), predicted.flatten(1)
    nothing = torch.zeros_like(rows)
    both = count_pairs(rows, columns, num_true, num_predicted, true_edge & predicted_edge)
    in_true = count_pairs(rows, nothing, num_true, 1, true_edge)
    in_predicted = count_pairs(nothing, columns, 1, num_predicted, predicted_edge)
    return 2 * both / (in_true + in_predicted).clamp(min=1).double()
