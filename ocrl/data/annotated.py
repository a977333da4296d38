"""Videos whose masks belong to instances of categories; an image is a video of one frame."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.videos import Videos
from ocrl.errors import UsageError


class AnnotatedVideos(Videos):
    """Frames and annotations of a published data set, both decoded when they are asked for.

    Attributes:
        names: of the videos or images, as the data set has them.
        has_classes: whether instances have categories.
        skip_bad: whether files that do not decode are left out.
        skipped: names of what was left out so far.
    """

    has_segments = True
    has_classes: bool = True

    def __init__(self, names: list[str], lengths: list[int], *, skip_bad: bool = False) -> None:
        if not names:
            raise UsageError(f"{type(self).__name__} has no image or video in this split")
        self.names = names
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.skip_bad = skip_bad
        self.skipped: list[str] = []

    @abstractmethod
    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode frames, uint8 (T, H, W, 3).

        Raises:
            UsageError: a file is missing or broken.
        """

    @abstractmethod
    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Decode instances, or categories, int32 (T, H, W): 0 for none, -1 where none counts.

        Raises:
            UsageError: annotations are missing or broken.
        """

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames of a video, uint8 (T, H, W, 3); of the next one that decodes, if allowed.

        Raises:
            UsageError: a file is broken and ``skip_bad`` is false, or all are.
        """
        return self.read_frames(self._stand_in(video), start, stop)

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the instance of each pixel, int32 (T, H, W)."""
        return self.read_segments(self._stand_in(video), start, stop, classes=False)

    def classes(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the category of each pixel, int32 (T, H, W)."""
        return self.read_segments(self._stand_in(video), start, stop, classes=True)

    def arrays(self, video: int) -> dict[str, NDArray[Any]]:
        """Return a whole video as shards have it: frames, ids, and categories if there are some."""
        length = int(self.lengths[video])
        arrays: dict[str, NDArray[Any]] = {"video": self.read_frames(video, 0, length)}
        ids = self.read_segments(video, 0, length, classes=False).astype(np.int16)
        arrays["segmentations"] = ids[..., None]
        return arrays

    def is_readable(self, video: int) -> bool:
        """Say whether a video's first frame decodes; count and print it if not, once."""
        if self.names[video] in self.skipped:
            return False
        try:
            self.read_frames(video, 0, 1)
        except UsageError as error:
            self.skipped.append(self.names[video])
            print(f"left out ({len(self.skipped)} so far): {error}")
            return False
        return True

    def _stand_in(self, video: int) -> int:
        """Return a video, or with ``skip_bad`` the next one as long that decodes."""
        if not self.skip_bad:
            return video
        number = len(self.names)
        for candidate in ((video + step) % number for step in range(number)):
            if self.lengths[candidate] >= self.lengths[video] and self.is_readable(candidate):
                return candidate
        raise UsageError("no image or video can be read: copy the data set again")
