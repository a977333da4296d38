"""Published data sets as a source of videos, cropped and mirrored as in the papers."""

from __future__ import annotations

from pathlib import Path

from torch.utils.data import Dataset

from ocrl.data.clips import Clip, ClipDataset
from ocrl.data.conversion import open_published
from ocrl.data.movi import NAMES as MOVI
from ocrl.data.shards import ShardVideos
from ocrl.data.transforms import Crop, Fitting, Interpolation
from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl_studies.invocation import call
from ocrl_studies.sources.base import Source


class PublishedData(Source):
    """A published data set: as shards if it was converted, else in its original folders.

    Frames are cropped and mirrored as the published settings have it.
    """

    def __init__(
        self,
        *,
        name: str,
        run_name: str,
        path: str,
        crop: Crop,
        flip: bool,
        scoring_crop: Crop,
        interpolation: Interpolation,
        skip_bad: bool,
        j_and_f: bool,
    ) -> None:
        self.name = name
        self.run_name = run_name
        self.path = path
        self.training_fitting = Fitting(crop, flip, interpolation)
        self.scoring_fitting = Fitting(scoring_crop, interpolation=interpolation)
        self.skip_bad = skip_bad
        self.extra_scores = ("j_and_f",) if j_and_f else ()

    def training_videos(self) -> Videos:
        """Return the train split."""
        return self._open("train")

    def scoring_videos(self) -> Videos:
        """Return the validation split."""
        return self._open("validation")

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return clips of the train split, cropped and mirrored at random if that is wanted."""
        return ClipDataset(
            self.training_videos(), length, image_size=image_size, fitting=self.training_fitting
        )

    def _open(self, split: str) -> Videos:
        if list(Path(self.path).glob(f"*-{split}-*.tar")):
            return ShardVideos(self.path, split)
        if self.name in MOVI:
            raise UsageError(
                f"there are no {split} shards of {self.name} in {self.path}: make them with  "
                f"{call('convert_data')} name={self.name} split={split} "
                f"folder={self.path}  or give another data.path"
            )
        return open_published(self.name, self.path, split, skip_bad=self.skip_bad)
