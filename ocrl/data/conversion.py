"""Published data sets as shards: read once, then found without decoding."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from ocrl.data.annotated import AnnotatedVideos
from ocrl.data.coco import COCO
from ocrl.data.davis import DAVIS
from ocrl.data.images import UnreadableFileError
from ocrl.data.movi import NAMES as MOVI
from ocrl.data.movi import PUBLISHED, MoviRecords
from ocrl.data.shard_writer import write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.transforms import interpolate
from ocrl.data.voc import VOC
from ocrl.data.youtube_vis import YouTubeVIS
from ocrl.errors import UsageError, nearest
from ocrl.reading import parsing

READERS: dict[str, Callable[..., AnnotatedVideos]] = {
    "coco": COCO,
    "voc": VOC,
    "ytvis_2019": YouTubeVIS,
    "ytvis_2021": YouTubeVIS,
    "davis": DAVIS,
}
"""Data sets in their original folders."""

Arrays = dict[str, NDArray[Any]]


def open_published(
    name: str, folder: str | Path, split: str, *, skip_bad: bool = False
) -> AnnotatedVideos:
    """Open a data set in its original folders.

    Args:
        name: one of `READERS`.
        folder: where it was unpacked.
        split: "train" or "validation".
        skip_bad: leave out what does not decode, and count it.

    Raises:
        UsageError: an unknown name or split, or files that are not there.
    """
    if name not in READERS:
        raise UsageError(f"there is no data set {name!r}: {nearest(name, READERS)}")
    with parsing(folder, f"{split} split of {name} in", "copy it as it was published"):
        return READERS[name](folder, split, skip_bad=skip_bad)


def convert(
    name: str,
    split: str,
    folder: str | Path,
    *,
    source: str | None = None,
    size: int | None = None,
    flow: bool = False,
    limit: int | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> ShardVideos:
    """Write one split of a published data set as shards, and check what was written.

    Args:
        name: ``coco``, ``voc``, ``ytvis_2019``, ``ytvis_2021``, ``davis``, or ``movi_a`` to ``_f``.
        split: such as ``train`` or ``validation``.
        folder: where the shards go.
        source: where the original folders are; for MOVi a folder of TensorFlow Datasets, or null
            for the published one.
        size: short side of the frames. None: as they are, for MOVi 128.
        flow: write optical flow too, of MOVi.
        limit: take the first so many alone.
        skip_bad: leave out what does not decode, and count it.
        overwrite: replace shards of this split.
        progress: show a progress bar.

    Returns:
        The videos, as they are read.

    Raises:
        UsageError: bad names, missing or broken files, or shards that are not what was read.
    """
    settings = {"name": name, "split": split, "size": size, "flow": flow, "limit": limit}
    if name in MOVI:
        records = MoviRecords(name, split, source=source or PUBLISHED, size=size or 128, flow=flow)
        total = min(len(records), limit or len(records))

        def videos(first: int) -> Iterable[Arrays]:
            return itertools.islice(records, first, total)

    else:
        if source is None:
            raise UsageError(f"{name} is converted from its original folders: give source=FOLDER")
        published = open_published(name, source, split, skip_bad=skip_bad)
        total = min(len(published.lengths), limit or len(published.lengths))

        def videos(first: int) -> Iterable[Arrays]:
            if skip_bad:  # how many of those before were left out is found by reading them
                return itertools.islice(_arrays(published, 0, total, size), first, None)
            return _arrays(published, first, total, size)

    write_shards(
        videos,
        folder,
        name,
        split,
        total=total,
        settings=settings,
        overwrite=overwrite,
        progress=progress,
    )
    converted = ShardVideos(folder, split)
    if len(converted.lengths) != total and not skip_bad:
        raise UsageError(
            f"{folder} has {len(converted.lengths)} videos of {split}, {total} were read: convert "
            "again with overwrite=true"
        )
    return converted


def _arrays(
    published: AnnotatedVideos, first: int, total: int, size: int | None
) -> Iterator[Arrays]:
    for video in range(first, total):
        try:
            with published.reading(video):
                arrays = published.arrays(video)
        except UnreadableFileError as error:
            published.leave_out(video, error)
            continue
        yield arrays if size is None else {k: _shrunk(k, v, size) for k, v in arrays.items()}


def _shrunk(name: str, array: NDArray[Any], size: int) -> NDArray[Any]:
    """Resize to a short side; colours have their channels last, masks of images come first."""
    tensor = torch.tensor(array)
    if name == "video":
        return interpolate(tensor, _short_side(array.shape[1:3], size)).numpy()
    if name == "image":
        return interpolate(tensor[None], _short_side(array.shape[:2], size))[0].numpy()
    if tensor.ndim == 3:
        return interpolate(tensor, _short_side(array.shape[1:3], size)).numpy()
    channels = [interpolate(c, _short_side(array.shape[1:3], size)) for c in tensor.unbind(-1)]
    return torch.stack(channels, -1).numpy()


def _short_side(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    short = min(shape)
    return size * shape[0] // short, size * shape[1] // short
