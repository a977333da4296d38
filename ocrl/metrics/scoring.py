"""The scores of a segmentation: over everything, and over things alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchmetrics import Metric, MetricCollection

from ocrl.data.clips import batches
from ocrl.encoder import Encoder
from ocrl.metrics import AdjustedRandIndex, JAndF, MeanBestOverlap, TrackingAccuracy
from ocrl.metrics.base import SegmentationMetric, hard_segments

SIZES = {"under_8": (1, 8), "8_to_32": (8, 33), "over_32": (33, math.inf)}
"""Name of a size -> pixels of a thing in a frame, from the first number to below the second."""


class SegmentationScores(nn.Module):
    """ARI over all segments; FG-ARI and mBO over things, with all stuff as their background.

    Where there are true categories besides, mBO over those of each frame too: ``image_mbo_c`` is
    the mBO-c of papers on images, ``image_mbo`` their mBO-i.

    Asked for besides: J&F over things, ``j_and_f``, which DAVIS is scored by; ``sizes``, mBO of
    things by their pixels in the frame, because a grid of tokens cannot see what is smaller than a
    token: ``image_mbo_under_8``, ``image_mbo_8_to_32``, ``image_mbo_over_32``; and ``tracking``,
    the ``mota`` of things and its parts, see `TrackingAccuracy`.

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
        extra: which of "j_and_f", "sizes" and "tracking" are scored too.
    """

    def __init__(self, num_stuff: int = 1, extra: Sequence[str] = ()) -> None:
        super().__init__()
        self.num_stuff = num_stuff
        further: dict[str, Metric] = {"j_and_f": JAndF()} if "j_and_f" in extra else {}
        if "sizes" in extra:
            further |= {
                f"image_mbo_{name}": MeanBestOverlap(video=False, pixels=pixels)
                for name, pixels in SIZES.items()
            }
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
                **further,
            },
            compute_groups=False,
        )
        self.categories = MetricCollection({"image_mbo_c": MeanBestOverlap(video=False)})
        self.tracking = MetricCollection(
            {"mota": TrackingAccuracy()} if "tracking" in extra else {}
        )

    def update(self, masks: Tensor, segments: Tensor, classes: Tensor | None = None) -> None:
        """Score a batch.

        Args:
            masks: soft masks (B, T, K, h, w), or segment ids >= 0 (B, T, H, W).
            segments: true segment ids, integers (B, T, H, W).
            classes: true categories, integers (B, T, H, W).
        """
        segments = segments.long()
        height, width = segments.shape[-2:]
        predicted = hard_segments(masks, (height, width))  # once for all scores
        self.everything.update(predicted, segments)
        is_stuff = (segments >= 0) & (segments < self.num_stuff)
        things = torch.where(is_stuff, 0, segments)
        self.things.update(predicted, things)
        self.tracking.update(predicted, things)
        if classes is not None:
            self.categories.update(predicted, classes.long())

    @property
    def counts(self) -> dict[str, int]:
        """How much each score is a mean of: videos, frames (``image_``) or objects (``mota``)."""
        metrics = [item for collection in self._updated for item in collection.items()]
        scored = (SegmentationMetric, TrackingAccuracy)
        return {name: metric.count for name, metric in metrics if isinstance(metric, scored)}

    def compute(self) -> dict[str, float]:
        """Return each score, NaN where nothing was scored; empty before any update."""
        return {
            name: float(value)
            for collection in self._updated
            for name, value in collection.compute().items()
        }

    def reset(self) -> None:
        """Forget what was scored."""
        self.everything.reset()
        self.things.reset()
        self.categories.reset()
        self.tracking.reset()

    @property
    def _updated(self) -> list[MetricCollection]:
        collections = (self.everything, self.things, self.categories, self.tracking)
        return [c for c in collections if any(metric.update_called for metric in c.values())]


@torch.inference_mode()
def score(
    encoder: Encoder,
    clips: Dataset[dict[str, Tensor]],
    num_stuff: int,
    extra: Sequence[str] = (),
    batch_size: int = 8,
) -> SegmentationScores:
    """Score the masks of an encoder on clips with ``video``, ``segments`` and what it asks for.

    Example:
        >>> from ocrl.encoders.block_masks import BlockMasks
        >>> video = torch.zeros(3, 64, 64, 3, dtype=torch.uint8)
        >>> clip = {"video": video, "segments": torch.zeros(3, 64, 64, dtype=torch.int32)}
        >>> score(BlockMasks(), [clip, clip], num_stuff=1).counts["image_ari"]
        6
    """
    scores = SegmentationScores(num_stuff, extra)
    encoder.eval()
    for batch in batches(clips, batch_size):
        masks = encoder.segment(encoder.to_device(batch))
        if masks is not None:
            scores.update(masks.cpu(), batch["segments"], batch.get("classes"))
    return scores
