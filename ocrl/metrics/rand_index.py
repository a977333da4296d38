"""Adjusted Rand index: do two pixels that belong together stay together?"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ocrl.metrics.base import SegmentationMetric, contingency_tables


def adjusted_rand_index(tables: Tensor) -> Tensor:
    """Return the adjusted Rand index of each contingency table.

    Hubert and Arabie, *Comparing partitions* (1985), equation 5. A table where chance and the
    maximum agree (one segment on both sides, or none) scores 1.

    Args:
        tables: counts (S, C, K).

    Returns:
        float64 (S,), at most 1, about 0 for random segments.

    Example:
        >>> adjusted_rand_index(torch.tensor([[[2, 0], [0, 2]], [[1, 1], [1, 1]]]))
        tensor([ 1.0000, -0.5000], dtype=torch.float64)
    """
    counts = tables.double()
    true_sizes, predicted_sizes = counts.sum(2), counts.sum(1)
    num_pixels = true_sizes.sum(1)
    together = ordered_pairs(counts).sum((1, 2))
    true_pairs = ordered_pairs(true_sizes).sum(1)
    predicted_pairs = ordered_pairs(predicted_sizes).sum(1)
    expected = true_pairs * predicted_pairs / ordered_pairs(num_pixels).clamp(min=1)
    best = (true_pairs + predicted_pairs) / 2
    undefined = best == expected
    return torch.where(undefined, 1.0, (together - expected) / (best - expected + undefined))


def ordered_pairs(counts: Tensor) -> Tensor:
    """Return n (n - 1) for each count n."""
    return counts * (counts - 1)


class AdjustedRandIndex(SegmentationMetric):
    """Adjusted Rand index; with ``ignore_background``, the foreground index FG-ARI.

    Background pixels vanish from FG-ARI: how they are segmented does not matter. ``video=True``
    asks for the same slot on a thing in all frames.

    Args:
        video: score whole videos, or each frame.
        ignore_background: True gives FG-ARI, False gives ARI over all segments.
        empty_foreground: what a sample with labelled pixels but no foreground counts:
            "perfect" scores 1, as the official SlotContrast code does, "skip" leaves it out.
            A sample without any labelled pixel is always left out.

    Example:
        >>> metric = AdjustedRandIndex()
        >>> truth = torch.tensor([0, 0, 5, 9]).view(1, 1, 2, 2)
        >>> metric.update(torch.tensor([0, 1, 1, 0]).view(1, 1, 2, 2), truth)
        >>> metric.compute().item(), metric.count
        (1.0, 1)
    """

    def __init__(
        self,
        video: bool = True,
        ignore_background: bool = True,
        empty_foreground: Literal["perfect", "skip"] = "perfect",
    ) -> None:
        super().__init__(video, ignore_background)
        self.empty_foreground = empty_foreground

    def scores(self, segments: Tensor, targets: Tensor) -> Tensor:
        """Return the index of each sample, float64 (S,)."""
        tables, true_ids = contingency_tables(segments.flatten(1), targets.flatten(1))
        scored = tables[:, self.scored_rows(true_ids)]
        counted = scored if self.empty_foreground == "skip" else tables[:, true_ids >= 0]
        return torch.where(counted.sum((1, 2)) > 0, adjusted_rand_index(scored), torch.nan)
