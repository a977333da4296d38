"""Clips: what encoders are trained on and scored on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence, Sized
from typing import Any, Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ocrl.data.transforms import Fitting
from ocrl.data.videos import Videos
from ocrl.errors import UsageError

Clip = dict[str, Tensor]
ReadSpan = Callable[[int, int, int], Clip]
VARIANTS = 1024


class ClipDataset(Dataset[Clip]):
    """All clips of some videos; no clip crosses the end of a video.

    A clip is a dictionary: ``video`` uint8 (T, H, W, 3) and, if asked for, ``segments`` int32
    (T, H, W), with ``classes`` beside them where there are some. Which clip an index gives never
    changes: what is random is the index, drawn by a sampler in the main process. So the number of
    workers changes nothing.

    Args:
        videos: where the frames come from.
        clip_length: frames of a clip, T. None: each clip is a whole video.
        stride: frames between the starts of neighbouring clips of a video.
        image_size: (height, width) to resize to; None keeps the size.
        fitting: how to crop and mirror on the way to that size. With a random one each clip is
            there `VARIANTS` times, cropped and mirrored in as many ways. None: the whole frame,
            antialiased.
        segments: give true segments too.

    Raises:
        UsageError: no video is long enough, there are no segments, or a fitting has no size.

    Example:
        >>> from ocrl.data.videos import ArrayVideos
        >>> videos = ArrayVideos(np.zeros((10, 8, 8, 3), np.uint8), lengths=[4, 6])
        >>> clips = ClipDataset(videos, clip_length=3)
        >>> len(clips), clips[5]["video"].shape
        (6, torch.Size([3, 8, 8, 3]))
    """

    def __init__(
        self,
        videos: Videos,
        clip_length: int | None,
        *,
        stride: int = 1,
        image_size: tuple[int, int] | None = None,
        fitting: Fitting | None = None,
        segments: bool = False,
    ) -> None:
        if segments and not videos.has_segments:
            raise UsageError(
                "there is no ground truth in these videos: ask for clips without segments, or "
                "collect them with segments"
            )
        if fitting is not None and image_size is None:
            raise UsageError("a fitting crops on the way to a size: give image_size too")
        per_video = (
            np.ones_like(videos.lengths)
            if clip_length is None
            else np.maximum(0, (videos.lengths - clip_length) // stride + 1)
        )
        if not per_video.any():
            raise UsageError(
                f"no video has the {clip_length} frames of a clip, the longest has "
                f"{videos.lengths.max(initial=0)}: choose shorter clips"
            )
        self.videos = videos
        self.clip_length = clip_length
        self.stride = stride
        self.image_size = None if image_size is None else (image_size[0], image_size[1])
        self.fitting = fitting
        self.segments = segments
        self._ends = np.cumsum(per_video)
        self._further: tuple[ReadSpan, ...] = ()

    def with_entries(self, read: ReadSpan) -> Self:
        """Return the same clips with further entries, such as features.

        Args:
            read: gives them for frames ``start`` to ``stop`` of a video.

        Raises:
            UsageError: the clips are cropped or mirrored at random, and such entries are not.
        """
        self.check_entries()
        clips = copy.copy(self)
        clips._further = (*self._further, read)
        return clips

    def check_entries(self) -> None:
        """Raise UsageError if the clips are cropped or mirrored at random."""
        if self._num_variants > 1:
            raise UsageError(
                "clips that are cropped or mirrored at random have no cached features, boxes or "
                "flow: take clips without (data.crop=central data.flip=false), or no cache"
            )

    def __len__(self) -> int:
        return int(self._ends[-1]) * self._num_variants

    @property
    def _num_variants(self) -> int:
        return VARIANTS if self.fitting is not None and self.fitting.is_random else 1

    def __getitem__(self, index: int) -> Clip:
        """Return a clip."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        variant, place = divmod(index, int(self._ends[-1]))
        video = int(np.searchsorted(self._ends, place, side="right"))
        first = int(self._ends[video - 1]) if video else 0
        start = (place - first) * self.stride
        span = (video, start, start + (self.clip_length or int(self.videos.lengths[video])))
        clip = {"video": torch.tensor(self.videos.frames(*span))}
        if self.segments:
            clip["segments"] = torch.from_numpy(self.videos.segments(*span).astype(np.int32))
            if self.videos.has_classes:
                clip["classes"] = torch.from_numpy(self.videos.classes(*span).astype(np.int32))
        if self.image_size is not None:
            generator = np.random.default_rng((variant, place)) if self._num_variants > 1 else None
            clip = self.fit(clip, self.image_size, generator)
        for read in self._further:
            clip |= read(*span)
        return clip

    def fit(
        self, clip: Clip, size: tuple[int, int], generator: np.random.Generator | None = None
    ) -> Clip:
        """Return frames and segments in a size, cropped as the clips are; see `Fitting`."""
        if self.fitting is None:
            return {name: resize(value, size) for name, value in clip.items()}
        return self.fitting(clip, size, generator)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize frames uint8 (T, H, W, 3), or segments (T, H, W), which take the nearest pixel.

    Example:
        >>> resize(torch.zeros(2, 64, 64, 3, dtype=torch.uint8), (32, 48)).shape
        torch.Size([2, 32, 48, 3])
    """
    if tuple(images.shape[1:3]) == size:
        return images
    if images.ndim == 3:
        pixels = F.interpolate(images[:, None].double(), size, mode="nearest-exact")
        return pixels[:, 0].to(images.dtype)
    pixels = F.interpolate(images.movedim(-1, 1), size, mode="bilinear", antialias=True)
    return pixels.movedim(1, -1).contiguous()


class MixedClips(Dataset[Clip]):
    """Clips of several datasets, in equal shares whatever their sizes.

    Args:
        datasets: map-style; their clips must have the same shapes and entries.

    Example:
        >>> from ocrl.data.videos import ArrayVideos
        >>> short = ArrayVideos(np.zeros((2, 8, 8, 3), np.uint8), lengths=[2])
        >>> long = ArrayVideos(np.ones((9, 8, 8, 3), np.uint8), lengths=[9])
        >>> mixed = MixedClips([ClipDataset(short, 2), ClipDataset(long, 2)])
        >>> [int(mixed[i]["video"][0, 0, 0, 0]) for i in range(6)]
        [0, 1, 0, 1, 0, 1]
    """

    def __init__(self, datasets: Sequence[Dataset[Clip]]) -> None:
        self.datasets = datasets
        self._lengths = [len(cast(Sized, dataset)) for dataset in datasets]

    def __len__(self) -> int:
        return len(self.datasets) * max(self._lengths)

    def __getitem__(self, index: int) -> Clip:
        """Return a clip of each dataset in turn; small datasets start over."""
        round_, which = divmod(index, len(self.datasets))
        return self.datasets[which][round_ % self._lengths[which]]


def evaluation_clips(
    videos: Videos,
    clip_length: int | None,
    num_clips: int | None,
    *,
    image_size: tuple[int, int] | None = None,
    fitting: Fitting | None = None,
) -> Subset[Clip]:
    """Return fixed clips that do not overlap, spread evenly over all videos.

    They come with true segments where there are any.

    Args:
        videos: where the frames come from.
        clip_length: frames of a clip. None: whole videos.
        num_clips: how many; all there are if there are fewer, or for None.
        image_size: (height, width) to resize to; None keeps the size.
        fitting: how to crop on the way to that size, not at random.

    Raises:
        UsageError: no video is long enough.

    Example:
        >>> from ocrl.data.videos import ArrayVideos
        >>> videos = ArrayVideos(np.zeros((90, 8, 8, 3), np.uint8), lengths=[90])
        >>> evaluation_clips(videos, clip_length=10, num_clips=3).indices
        [0, 4, 8]
    """
    clips = ClipDataset(
        videos,
        clip_length,
        stride=clip_length or 1,
        image_size=image_size,
        fitting=fitting,
        segments=videos.has_segments,
    )
    number = len(clips) if num_clips is None else min(num_clips, len(clips))
    chosen = np.linspace(0, len(clips) - 1, number).round().astype(int)
    return Subset(clips, chosen.tolist())


def batches(clips: Dataset[Any], batch_size: int) -> DataLoader[Any]:
    """Return the clips in order, in batches; whole videos, which differ in length, one by one."""
    source = clips.dataset if isinstance(clips, Subset) else clips
    whole = isinstance(source, ClipDataset) and source.clip_length is None
    return DataLoader(clips, 1 if whole else batch_size)
