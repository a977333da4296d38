"""Scores of an encoder beside what it must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch.utils.data import Subset

from ocrl.data.clips import Clip
from ocrl.encoder import Encoder, TrainableEncoder
from ocrl.encoders.block_masks import BlockMasks
from ocrl.encoders.kmeans import BackboneFeatures, ColourPosition, KMeans
from ocrl.metrics.scoring import score
from ocrl.modules.backbones import Backbone

CELL = 4  # pixels of a baseline's token, as of the default encoders


class Scoreboard(NamedTuple):
    """Scores and what they are means of.

    Attributes:
        scores: contender -> score -> value.
        counts: score -> number of videos, of frames for the ``image_`` scores, of objects for
            ``mota``.
    """

    scores: dict[str, dict[str, float]]
    counts: dict[str, int]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows: scores between 0 and 1 in percent, and the counts below."""
        rows = [
            [who, *(f"{100 * row[name]:.1f}" for name in self.counts)]
            for who, row in self.scores.items()
        ]
        counts = ["videos, frames, objects", *(str(count) for count in self.counts.values())]
        return ["", *self.counts], [*rows, counts]


def baselines(num_slots: int, image_size: tuple[int, int]) -> dict[str, Encoder]:
    """Return block masks and k-means with as many segments as the encoder has slots."""
    grid = (image_size[0] // CELL, image_size[1] // CELL)
    return {
        "block masks": BlockMasks(num_slots, min(3, num_slots), image_size=image_size),
        "k-means on colour": KMeans(num_slots, ColourPosition(grid), image_size=image_size),
    }


def feature_clusters(encoder: Encoder) -> KMeans | None:
    """Return k-means on the features of an encoder's frozen backbone, None if it has none."""
    frozen = encoder.frozen_features() if isinstance(encoder, TrainableEncoder) else None
    if frozen is None or not isinstance(frozen.network, Backbone):
        return None
    features = BackboneFeatures(frozen.network)
    return KMeans(encoder.num_tokens, features, image_size=encoder.image_size)


def make_scoreboard(
    contenders: dict[str, Encoder], clips: Subset[Clip], num_stuff: int, extra: Sequence[str] = ()
) -> Scoreboard:
    """Score each contender on the same clips, which have true segments; see `score`."""
    results = {
        name: score(encoder, clips, num_stuff, extra) for name, encoder in contenders.items()
    }
    scores = {name: result.compute() for name, result in results.items()}
    return Scoreboard(scores, next(iter(results.values())).counts)


def truthless_table(scores: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of scores without ground truth, in percent; a dash for none."""
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    rows = [
        [who, *(f"{100 * row[name]:.1f}" if name in row else "-" for name in names)]
        for who, row in scores.items()
    ]
    return ["", *names], rows
