"""Videos whose masks belong to instances of categories; an image is a video of one frame."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ocrl.data.images import UnreadableFileError
from ocrl.data.overlapping import LEFT_OUT
from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl.reading import parsing

ADVICE = "copy the data set again, as it was published"


class AnnotatedVideos(Videos):
    """Frames and annotations of a published data set, both decoded when they are asked for.

    Attributes:
        names: of the videos or images, as the data set has them.
        has_classes: whether instances have categories.
        skip_bad: whether files that do not decode are left out: frames have the next video's in
            their place, masks count nowhere.
    """

    has_segments = True
    has_classes: bool = True

    def __init__(self, names: list[str], lengths: list[int], *, skip_bad: bool = False) -> None:
        if not names:
            raise UsageError(f"{type(self).__name__} has no image or video in this split")
        self.names = names
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.skip_bad = skip_bad
        # in memory that processes which load clips share, so that each is counted once
        self._bad = torch.zeros(len(names) if skip_bad else 0, dtype=torch.bool)
        self._bad.share_memory_()  # type: ignore[no-untyped-call]
        self._found: tuple[tuple[int, int, int], int, NDArray[np.uint8]] | None = None

    @property
    def skipped(self) -> list[str]:
        """Names of the videos that were left out so far, in whole or in part."""
        return [self.names[video] for video in self._bad.nonzero()[:, 0].tolist()]

    @abstractmethod
    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode frames, uint8 (T, H, W, 3).

        Raises:
            UnreadableFileError: a file is missing or broken.
        """

    @abstractmethod
    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Decode instances, or categories, int32 (T, H, W): 0 for none, -1 where none counts.

        Raises:
            UnreadableFileError: a file of masks is missing or broken.
            UsageError: annotations are missing, or do not belong to the frames.
        """

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames of a video, uint8 (T, H, W, 3); of the next one that decodes, if allowed.

        Raises:
            UsageError: a file is broken and ``skip_bad`` is false, or all are.
        """
        return self._find(video, start, stop)[1]

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the instance of each pixel, int32 (T, H, W)."""
        return self._masks(video, start, stop, classes=False)

    def classes(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the category of each pixel, int32 (T, H, W)."""
        return self._masks(video, start, stop, classes=True)

    def arrays(self, video: int) -> dict[str, NDArray[Any]]:
        """Return a whole video as shards have it: frames, ids, and categories if there are some."""
        length = int(self.lengths[video])
        arrays: dict[str, NDArray[Any]] = {"video": self.read_frames(video, 0, length)}
        ids = self.read_segments(video, 0, length, classes=False).astype(np.int16)
        arrays["segmentations"] = ids[..., None]
        return arrays

    def reading(self, video: int) -> AbstractContextManager[None]:
        """Make one UsageError of whatever is wrong with a video or its annotations."""
        return parsing(self.names[video], f"{type(self).__name__} video", ADVICE)

    def leave_out(self, video: int, error: UnreadableFileError) -> None:
        """Count a video, and print why; once.

        Raises:
            UnreadableFileError: bad files are not to be left out.
        """
        if not self.skip_bad:
            raise error
        if not self._bad[video]:
            self._bad[video] = True
            tqdm.write(f"left out ({int(self._bad.sum())} so far): {error}")

    def _find(self, video: int, start: int, stop: int) -> tuple[int, NDArray[np.uint8]]:
        """Return the video whose frames are taken, and these; remember the last."""
        place = (video, start, stop)
        if self._found is None or self._found[0] != place:
            self._found = (place, *self._decode(video, start, stop))
        return self._found[1:]

    def _decode(self, video: int, start: int, stop: int) -> tuple[int, NDArray[np.uint8]]:
        """Decode a video, or with ``skip_bad`` the next one as long that decodes."""
        number = len(self.names)
        for candidate in ((video + step) % number for step in range(number)):
            if self.lengths[candidate] < self.lengths[video]:
                continue
            try:
                with self.reading(candidate):
                    return candidate, self.read_frames(candidate, start, stop)
            except UnreadableFileError as error:
                self.leave_out(candidate, error)
        raise UsageError("no image or video can be read: copy the data set again")

    def _masks(self, video: int, start: int, stop: int, *, classes: bool) -> NDArray[np.int32]:
        video, frames = self._find(video, start, stop)
        try:
            with self.reading(video):
                return self.read_segments(video, start, stop, classes=classes)
        except UnreadableFileError as error:
            self.leave_out(video, error)
            return np.full(frames.shape[:3], LEFT_OUT, np.int32)
