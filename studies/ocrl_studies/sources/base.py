"""A source of videos, to train on and to score on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate
from torch.utils.data import Dataset, Subset

from ocrl.data.clips import Clip, ClipDataset, MixedClips, evaluation_clips
from ocrl.data.transforms import Fitting
from ocrl.data.videos import Videos
from ocrl_studies.plain import plain
from ocrl_studies.rollouts import SegmentKinds


class Source(ABC):
    """Videos to train on and videos to score on.

    Attributes:
        run_name: names the videos in folders of runs and in tables.
        extra_scores: what they are scored by besides, see `SegmentationScores`.
        scoring_fitting: how frames that are scored are cropped; None: not at all.
    """

    run_name: str
    extra_scores: tuple[str, ...] = ()
    scoring_fitting: Fitting | None = None

    @property
    def kinds(self) -> SegmentKinds:
        """Kinds of the true segments, known once there are videos."""
        return SegmentKinds()

    @property
    def num_stuff(self) -> int:
        """True segments 0 .. num_stuff - 1 are no things."""
        return self.kinds.num_stuff

    @abstractmethod
    def training_videos(self) -> Videos:
        """Return the videos to train on."""

    @abstractmethod
    def scoring_videos(self) -> Videos:
        """Return videos that training does not see."""

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return all clips of the videos to train on."""
        return ClipDataset(self.training_videos(), length, image_size=image_size)

    def scoring_clips(
        self, num: int | None, length: int | None, image_size: tuple[int, int]
    ) -> Subset[Clip]:
        """Return fixed clips of unseen videos, with true segments where there are any.

        Args:
            num: how many; None: all that do not overlap.
            length: frames of each; None: whole videos.
            image_size: (height, width) of the frames.
        """
        return evaluation_clips(
            self.scoring_videos(), length, num, image_size=image_size, fitting=self.scoring_fitting
        )


class Mixture(Source):
    """Several sources in equal shares; the first one is scored on, as by itself."""

    def __init__(self, *, run_name: str, sources: Mapping[str, Source]) -> None:
        self.run_name = run_name
        self.sources = list(sources.values())
        self.extra_scores = self.sources[0].extra_scores
        self.scoring_fitting = self.sources[0].scoring_fitting

    @property
    def kinds(self) -> SegmentKinds:
        """Those of the first source."""
        return self.sources[0].kinds

    @property
    def num_stuff(self) -> int:
        """That of the first source."""
        return self.sources[0].num_stuff

    def training_videos(self) -> Videos:
        """Return those of the first source; clips are of all."""
        return self.sources[0].training_videos()

    def scoring_videos(self) -> Videos:
        """Return those of the first source."""
        return self.sources[0].scoring_videos()

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return clips of all sources in turn."""
        return MixedClips([source.training_clips(length, image_size) for source in self.sources])


def make_source(data: Mapping[Any, Any]) -> Source:
    """Return the source of the ``data`` node of a configuration."""
    source: Source = instantiate(plain(data))  # the node itself would lose its interpolations
    return source
