"""What all sources of videos have in common: frames, and perhaps true segments."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ocrl.errors import UsageError


class Videos(ABC):
    """A sequence of videos of one frame size, read piece by piece.

    Attributes:
        lengths: frames of each video, int64 (V,).
        has_segments: whether there are true segments.
        has_flow: whether there is optical flow.
        has_classes: whether there are true categories besides true segments.
    """

    lengths: NDArray[np.int64]
    has_segments: bool
    has_flow: bool = False
    has_classes: bool = False

    @abstractmethod
    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames ``start`` to ``stop`` of a video, uint8 (T, H, W, 3)."""

    @abstractmethod
    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the true segment id of each pixel of these frames, integers (T, H, W)."""

    def flow(self, video: int, start: int, stop: int) -> NDArray[np.floating]:
        """Return optical flow, (T, H, W, 2): pixels right and down until the next frame.

        Raises:
            UsageError: there is none.
        """
        raise UsageError("these videos have no optical flow: ask for clips without it")

    def classes(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return the true category of each pixel of these frames, integers (T, H, W).

        Raises:
            UsageError: there are none.
        """
        raise UsageError("these videos have no categories: ask for clips without them")


class ArrayVideos(Videos):
    """Videos that lie one after another in one array.

    Args:
        frames: uint8 (N, H, W, 3), of all videos.
        lengths: frames of each video; they sum to N.
        segments: integers (N, H, W), or None.

    Raises:
        UsageError: arrays that do not fit together.

    Example:
        >>> videos = ArrayVideos(np.zeros((10, 8, 8, 3), np.uint8), lengths=[4, 6])
        >>> videos.frames(1, 0, 6).shape
        (6, 8, 8, 3)
    """

    def __init__(
        self,
        frames: NDArray[np.uint8],
        lengths: list[int] | NDArray[np.int64],
        segments: NDArray[np.integer] | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.has_segments = segments is not None
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise UsageError(
                f"frames are uint8 (N, H, W, 3), got {frames.dtype} {frames.shape}: convert them"
            )
        if self.lengths.sum() != len(frames):
            raise UsageError(
                f"the videos' lengths sum to {self.lengths.sum()}, but there are {len(frames)} "
                "frames: give the length of every video"
            )
        if segments is not None and segments.shape != frames.shape[:3]:
            raise UsageError(
                f"segments have shape {segments.shape}, frames {frames.shape[:3]}: "
                "give one segment id per pixel"
            )
        self._frames = frames
        self._segments = segments
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames of a video, uint8 (T, H, W, 3)."""
        return self._frames[self._starts[video] + start : self._starts[video] + stop]

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return segments of a video, integers (T, H, W).

        Raises:
            UsageError: there are none.
        """
        if self._segments is None:
            raise UsageError("these videos have no segments: ask for clips without segments")
        return self._segments[self._starts[video] + start : self._starts[video] + stop]
