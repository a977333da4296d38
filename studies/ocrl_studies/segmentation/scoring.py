"""Scores of one contender's masks: over all segments, of things, and over time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ocrl.data.annotations import annotated
from ocrl.data.clips import Clip, evaluation_clips, resize
from ocrl.data.videos import Videos
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.metrics import SlotIdentity
from ocrl.metrics.scoring import score
from ocrl.reading import read_object
from ocrl.visualization import Image, image_grid, segmentation_strip, spread
from ocrl_studies.segmentation.plan import Scoring

SCORES, PICTURE = "scores.json", "masks.png"


@dataclass(frozen=True)
class Truth:
    """Unseen videos with true segments, in their own size whatever the encoders' sizes.

    They are cropped as the source's are scored; then in the size of the first of them.

    Attributes:
        clips: short ones, for overlaps.
        long_clips: for slot identity.
        num_stuff: true segments 0 .. num_stuff - 1 are no things.
        image_size: (height, width).
    """

    clips: Subset[Clip]
    long_clips: Subset[Clip]
    num_stuff: int
    image_size: tuple[int, int]

    @classmethod
    def of(cls, scoring: Scoring) -> Truth:
        """Return what there is to score on.

        Raises:
            UsageError: the data have no true segments.
        """
        source = scoring.source
        videos = source.scoring_videos()
        check_segments(videos, source.run_name)
        longest = min(scoring.long_clip_length, int(videos.lengths.max()))
        fitting = source.scoring_fitting
        size: tuple[int, int] | None = None
        if fitting is not None:
            frame = fitting.cropped(torch.tensor(videos.frames(0, 0, 1)))
            size = (frame.shape[1], frame.shape[2])
        clips, long_clips = (
            evaluation_clips(videos, length, number, image_size=size, fitting=fitting)
            for length, number in (
                (scoring.clip_length, scoring.num_clips),
                (longest, scoring.num_long_clips),
            )
        )
        height, width = clips[0]["video"].shape[1:3]
        return cls(clips, long_clips, source.num_stuff, (height, width))


def check_segments(videos: Videos, name: str) -> None:
    """Raise UsageError if videos have no true segments."""
    if not videos.has_segments:
        raise UsageError(
            f"{name} has no true segments to score masks by: take data with ground truth, such as "
            "data=movi_a_like or the rollouts of a maze"
        )


@dataclass(frozen=True)
class ContenderScores:
    """What came of one contender.

    Attributes:
        values: score -> value, NaN where there was no occasion.
        counts: score -> what it is the mean of: videos, frames or occasions.
        num_slots: segments that a frame is cut into, at most.
        num_parameters: of the whole encoder, decoder included.
        frozen_backbone: whether its features were not learned in this comparison.
    """

    values: dict[str, float]
    counts: dict[str, int]
    num_slots: int
    num_parameters: int
    frozen_backbone: bool

    def save(self, folder: Path) -> None:
        """Write ``scores.json``, whole or not at all."""
        write_text(folder / SCORES, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, folder: Path) -> ContenderScores:
        """Read ``scores.json``.

        Raises:
            UsageError: the file holds something else.
        """
        advice = "delete it, and the same command scores again"
        fields = {
            "values": dict[str, float],
            "counts": dict[str, int],
            "num_slots": int,
            "num_parameters": int,
            "frozen_backbone": bool,
        }
        content = read_object(folder / SCORES, "scores", advice, fields=fields)
        return cls(**{name: content[name] for name in fields})


class ResizedClips(Dataset[Clip]):
    """Clips with their frames in an encoder's size, and the true segments as they are.

    Args:
        clips: of any size.
        image_size: (height, width) of the frames.
    """

    def __init__(self, clips: Subset[Clip], image_size: tuple[int, int]) -> None:
        self.clips = clips
        self.image_size = image_size

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """Return a clip."""
        clip = self.clips[index]
        return {**clip, "video": resize(clip["video"], self.image_size)}


def measure(encoder: Encoder, truth: Truth) -> tuple[dict[str, float], dict[str, int]]:
    """Return each score of an encoder's masks, and how many samples or occasions are behind it."""
    scores = score(encoder, as_seen(truth.clips, encoder, truth), truth.num_stuff)
    identity = SlotIdentity()
    with torch.inference_mode():
        for batch in DataLoader(as_seen(truth.long_clips, encoder, truth), batch_size=1):
            masks, segments = encoder.segment(encoder.to_device(batch)), batch["segments"]
            assert masks is not None
            identity.update(masks.cpu(), things(segments, truth.num_stuff))
    rates = {name: float(rate) for name, rate in identity.compute().items()}
    return scores.compute() | rates, scores.counts | identity.occasions


def as_seen(clips: Subset[Clip], encoder: Encoder, truth: Truth) -> ResizedClips:
    """Return clips as an encoder sees them, with what it asks for."""
    return ResizedClips(annotated(clips, encoder, truth.num_stuff), encoder.image_size)


def things(segments: Tensor, num_stuff: int) -> Tensor:
    """Make background of all stuff; what is left out stays so.

    >>> things(torch.tensor([-1, 0, 1, 2, 3]), num_stuff=2)
    tensor([-1,  0,  0,  2,  3])
    """
    return torch.where((segments >= 0) & (segments < num_stuff), 0, segments)


def picture_masks(encoder: Encoder, truth: Truth, num_clips: int) -> Image:
    """Draw the same clips for every contender: frames, true segments, masks."""
    strips = []
    for clip in spread(annotated(truth.clips, encoder, truth.num_stuff), num_clips):
        seen = {**clip, "video": resize(clip["video"], encoder.image_size)}
        with torch.inference_mode():
            batch = {name: entry[None] for name, entry in seen.items()}
            masks = encoder.segment(encoder.to_device(batch))
        assert masks is not None
        strips.append([segmentation_strip(clip["video"], masks[0], clip["segments"])])
    return image_grid(strips, gap=8)
