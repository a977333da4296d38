"""A view of videos in which true segments have other ids."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ocrl.data.videos import Videos

Mapping = Callable[[NDArray[np.integer]], NDArray[np.integer]]


class MappedSegments(Videos):
    """The same videos, with a function applied to the true segment ids.

    For example, to merge all walls into one segment before scoring. All else that the videos have
    passes through.

    Args:
        videos: with or without segments.
        mapping: ids (T, H, W) to ids (T, H, W).

    Example:
        >>> from ocrl.data.videos import ArrayVideos
        >>> frames, ids = np.zeros((2, 8, 8, 3), np.uint8), np.full((2, 8, 8), 41)
        >>> videos = MappedSegments(ArrayVideos(frames, [2], ids), lambda ids: ids // 10)
        >>> int(videos.segments(0, 0, 1).max())
        4
    """

    def __init__(self, videos: Videos, mapping: Mapping) -> None:
        self.lengths = videos.lengths
        self.has_segments = videos.has_segments
        self.has_flow = videos.has_flow
        self.has_classes = videos.has_classes
        self._videos = videos
        self._mapping = mapping

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames of a video, uint8 (T, H, W, 3)."""
        return self._videos.frames(video, start, stop)

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return mapped segments of a video, integers (T, H, W)."""
        return self._mapping(self._videos.segments(video, start, stop))

    def flow(self, video: int, start: int, stop: int) -> NDArray[np.floating]:
        """Return optical flow of a video, (T, H, W, 2)."""
        return self._videos.flow(video, start, stop)

    def classes(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the true categories of a video, integers (T, H, W)."""
        return self._videos.classes(video, start, stop)
