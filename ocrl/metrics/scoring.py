"""The scores of a segmentation: over everything, and over things alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics import MetricCollection

from ocrl.encoder import Encoder
from ocrl.metrics import AdjustedRandIndex, MeanBestOverlap
from ocrl.metrics.base import SegmentationMetric, hard_segments


class SegmentationScores(nn.Module):
    """ARI over all segments; FG-ARI and mBO over things, with all stuff as their background.

    FG-ARI alone misleads: on small images even block masks score high. Judge by all of them, and
    beside the baselines.

    Example:
        >>> scores = SegmentationScores(num_stuff=2)
        >>> truth = torch.tensor([0, 1, 2, 2]).view(1, 1, 2, 2)        # sky, floor, an apple
        >>> scores.update(truth, truth)
        >>> sorted(scores.compute())
        ['ari', 'fg_ari', 'image_ari', 'image_fg_ari', 'image_mbo', 'mbo']

    Args:
        num_stuff: true segments 0 .. num_stuff - 1 are stuff (sky, floor, walls; the background of
            a scene), the others things.
    """

    def __init__(self, num_stuff: int = 1) -> None:
        super().__init__()
        self.num_stuff = num_stuff
        self.everything = MetricCollection(
            {
                "ari": AdjustedRandIndex(ignore_background=False),
                "image_ari": AdjustedRandIndex(ignore_background=False, video=False),
            },
            compute_groups=False,
        )
        self.things = MetricCollection(
            {
                "fg_ari": AdjustedRandIndex(empty_foreground="skip"),
                "image_fg_ari": AdjustedRandIndex(empty_foreground="skip", video=False),
                "mbo": MeanBestOverlap(),
                "image_mbo": MeanBestOverlap(video=False),
            },
            compute_groups=False,
        )

    def update(self, masks: Tensor, segments: Tensor) -> None:
        """Score a batch.

        Args:
            masks: soft masks (B, T, K, h, w), or segment ids >= 0 (B, T, H, W).
            segments: true segment ids, integers (B, T, H, W).
        """
        segments = segments.long()
        height, width = segments.shape[-2:]
        predicted = hard_segments(masks, (height, width))  # once for all scores
        self.everything.update(predicted, segments)
        self.things.update(predicted, torch.where(segments < self.num_stuff, 0, segments))

    @property
    def counts(self) -> dict[str, int]:
        """How many videos, or frames for the ``image_`` scores, each score is a mean of."""
        metrics = [*self.everything.items(), *self.things.items()]
        return {n: m.count for n, m in metrics if isinstance(m, SegmentationMetric)}

    def compute(self) -> dict[str, float]:
        """Return each score, NaN where nothing was scored; empty before any update."""
        if not any(metric.update_called for metric in self.everything.values()):
            return {}
        scores = {**self.everything.compute(), **self.things.compute()}
        return {name: float(value) for name, value in scores.items()}

    def reset(self) -> None:
        """Forget what was scored."""
        self.everything.reset()
        self.things.reset()


@torch.inference_mode()
def score(
    encoder: Encoder, clips: Dataset[dict[str, Tensor]], num_stuff: int, batch_size: int = 8
) -> SegmentationScores:
    """Score the masks of an encoder on clips with ``video``, ``segments`` and what it asks for.

    Example:
        >>> from ocrl.encoders.block_masks import BlockMasks
        >>> video = torch.zeros(3, 64, 64, 3, dtype=torch.uint8)
        >>> clip = {"video": video, "segments": torch.zeros(3, 64, 64, dtype=torch.int32)}
        >>> score(BlockMasks(), [clip, clip], num_stuff=1).counts["image_ari"]
        6
    """
    scores = SegmentationScores(num_stuff)
    encoder.eval()
    for batch in DataLoader(clips, batch_size):
        masks = encoder.segment(encoder.to_device(batch))
        if masks is not None:
            scores.update(masks.cpu(), batch["segments"])
    return scores
