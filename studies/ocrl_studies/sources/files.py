"""Videos on disk as a source: recorded episodes, video files, shards."""

from __future__ import annotations

from ocrl.data.recordings import load_recordings
from ocrl.data.shards import ShardVideos
from ocrl.data.video_files import load_video_files
from ocrl.data.videos import Videos
from ocrl_studies.sources.base import Source


class Recordings(Source):
    """Recorded episodes in a folder; some are held out by their names."""

    def __init__(self, *, run_name: str, path: str, held_out: str) -> None:
        self.run_name = run_name
        self.path = path
        self.held_out = held_out

    def training_videos(self) -> Videos:
        """Return the episodes whose names do not match ``held_out``."""
        return load_recordings(self.path, exclude=self.held_out)

    def scoring_videos(self) -> Videos:
        """Return the episodes whose names match ``held_out``."""
        return load_recordings(self.path, self.held_out)


class VideoFiles(Source):
    """Plain video files in two folders, one to train on and one to look at."""

    def __init__(
        self,
        *,
        run_name: str,
        path: str,
        held_out: str,
        image_size: tuple[int, int],
        every: int,
    ) -> None:
        self.run_name = run_name
        self.path = path
        self.held_out = held_out
        height, width = image_size
        self.image_size = (height, width)
        self.every = every

    def training_videos(self) -> Videos:
        """Return the files of the first folder."""
        return load_video_files(self.path, self.image_size, every=self.every)

    def scoring_videos(self) -> Videos:
        """Return the files of the second folder."""
        return load_video_files(self.held_out, self.image_size, every=self.every)


class Shards(Source):
    """Videos in shards with the layout of the official data scripts, such as MOVi's."""

    def __init__(self, *, run_name: str, path: str) -> None:
        self.run_name = run_name
        self.path = path

    def training_videos(self) -> Videos:
        """Return the train split."""
        return ShardVideos(self.path, "train")

    def scoring_videos(self) -> Videos:
        """Return the validation split."""
        return ShardVideos(self.path, "validation")
