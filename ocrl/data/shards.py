"""Videos in tar shards: the WebDataset layout of the official SlotContrast data scripts.

A shard ``<dataset>-<split>-000000.tar`` holds, for each video ``<i>``, ``<i>.video.npy`` uint8
(T, H, W, 3) and, with ground truth, ``<i>.segmentations.npy`` (T, H, W, 1) and
``<i>.forward_flow.npy`` (T, H, W, 2), in pixels. Arrays lie in the tar as they are, so that a clip
is read without reading the rest.
"""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from tqdm import tqdm

from ocrl.data.videos import Videos
from ocrl.errors import UsageError

VIDEOS_PER_SHARD = 32


def write_shards(
    videos: Iterable[Mapping[str, NDArray[Any]]],
    folder: str | Path,
    dataset: str,
    split: str,
    *,
    total: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Write videos as shards ``<folder>/<dataset>-<split>-<number>.tar``.

    The shards appear when all are whole; an interrupted run leaves none.

    Args:
        videos: arrays by name, ``video`` uint8 (T, H, W, 3) at least.
        folder: made if it is absent.
        dataset: such as ``movi_c``.
        split: such as ``train``.
        total: number of videos, for the progress bar.
        overwrite: replace the shards of this split.
        progress: show a progress bar.

    Returns:
        The paths of the shards.

    Raises:
        UsageError: there are shards of this split already.
    """
    folder = Path(folder)
    old = sorted(folder.glob(f"{dataset}-{split}-*.tar"))
    if old and not overwrite:
        raise UsageError(
            f"{old[0]} exists already: pass overwrite=true to replace the {split} shards, or "
            "choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    bar = tqdm(videos, desc=f"{dataset} {split}", unit="video", total=total, disable=not progress)
    numbered = enumerate(bar)
    with tempfile.TemporaryDirectory(prefix=f".{split}.partial-", dir=folder) as partial:
        paths: list[Path] = []
        while piece := list(itertools.islice(numbered, VIDEOS_PER_SHARD)):
            name = f"{dataset}-{split}-{len(paths):06d}.tar"
            with tarfile.open(Path(partial) / name, "w") as shard:
                for number, arrays in piece:
                    for entry, array in arrays.items():
                        _add(shard, f"{number}.{entry}.npy", array)
            paths.append(folder / name)
        for path in old:
            path.unlink()
        for path in paths:
            os.replace(Path(partial) / path.name, path)
    return paths


def _add(shard: tarfile.TarFile, name: str, array: NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    member = tarfile.TarInfo(name)
    member.size = buffer.tell()
    buffer.seek(0)
    shard.addfile(member, buffer)


@dataclass(frozen=True)
class _Entry:
    """Where an array lies in a shard."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows ``start`` to ``stop``."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        row = int(np.prod(self.shape[1:], dtype=np.int64))
        offset = self.offset + start * row * self.dtype.itemsize
        rows = np.fromfile(self.path, self.dtype, (stop - start) * row, offset=offset)
        return rows.reshape(-1, *self.shape[1:])


class ShardVideos(Videos):
    """Videos of one split in a folder of shards, read from disk clip by clip.

    Segments are integer ids; those with a channel per object, as in the official YouTube-VIS
    shards, become ids 1, 2, ... with 0 where there is none. Flow has to be in pixels: integers, as
    in the official shards of MOVi, lack the range that they are scaled by, and are left out.

    Args:
        folder: where the shards lie.
        split: such as ``train`` or ``validation``.

    Raises:
        UsageError: a shard is missing, truncated or of another layout.
    """

    def __init__(self, folder: str | Path, split: str) -> None:
        paths = sorted(Path(folder).glob(f"*-{split}-*.tar"))
        if not paths:
            raise UsageError(
                f"no shards *-{split}-*.tar in {folder}: generate or convert the videos first, or "
                "choose another split"
            )
        _check_numbers(paths)
        self._videos: list[_Entry] = []
        self._segments: list[_Entry] = []
        self._flow: list[_Entry] = []
        for path in paths:
            for entries in _entries(path).values():
                self._append(path, entries)
        if self._segments and len(self._segments) != len(self._videos):
            raise UsageError(
                f"{len(self._segments)} of {len(self._videos)} videos in {folder} have "
                "segmentations: convert the split again with all of them, or without"
            )
        self.has_segments = bool(self._segments)
        self.has_flow = len(self._flow) == len(self._videos)
        self.lengths = np.array([video.shape[0] for video in self._videos], dtype=np.int64)

    def _append(self, path: Path, entries: dict[str, _Entry]) -> None:
        video, segments = entries.get("video"), entries.get("segmentations")
        if video is None or video.dtype != np.uint8 or len(video.shape) != 4:
            found = "no video" if video is None else f"video {video.dtype} {video.shape}"
            raise UsageError(f"{path} has {found}: expected <i>.video.npy, uint8 (T, H, W, 3)")
        self._videos.append(video)
        if segments is not None:
            if segments.shape[:3] != video.shape[:3]:
                raise UsageError(
                    f"{path} has a video {video.shape} with segmentations {segments.shape}: "
                    "both must have the same frames and the same size; convert them again"
                )
            self._segments.append(segments)
        flow = entries.get("forward_flow")
        if flow is not None and flow.dtype.kind == "f" and flow.shape == (*video.shape[:3], 2):
            self._flow.append(flow)

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Read frames of a video, uint8 (T, H, W, 3)."""
        return self._videos[video].read(start, stop)

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Read segments of a video, integers (T, H, W)."""
        segments = self._segments[video].read(start, stop)
        if segments.ndim == 3:
            return segments
        if segments.shape[3] == 1:
            return segments[..., 0]
        labelled = segments != 0
        ids: NDArray[np.integer] = np.where(labelled.any(-1), labelled.argmax(-1) + 1, 0)
        return ids

    def flow(self, video: int, start: int, stop: int) -> NDArray[np.floating]:
        """Read optical flow of a video, (T, H, W, 2)."""
        if not self.has_flow:
            return super().flow(video, start, stop)
        return self._flow[video].read(start, stop)


def _check_numbers(paths: list[Path]) -> None:
    for number, path in enumerate(paths):
        expected = f"-{number:06d}.tar"
        if not path.name.endswith(expected):
            missing = path.with_name(path.name[: -len(expected)] + expected)
            raise UsageError(f"the shard {missing} is missing: copy or generate it again")


def _entries(path: Path) -> dict[str, dict[str, _Entry]]:
    """Return the arrays of each video in a shard, without reading them."""
    entries: dict[str, dict[str, _Entry]] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as shard, path.open("rb") as raw:
            for member in shard:
                key, _, name = Path(member.name).name.partition(".")
                if not name.endswith(".npy"):
                    continue
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError(f"{member.name} ends beyond the file")
                raw.seek(member.offset_data)
                shape, in_columns, dtype = _read_header(raw)
                if in_columns or dtype.hasobject:
                    raise ValueError(f"{member.name} holds objects or columns first")
                entry = _Entry(path, raw.tell(), shape, dtype)
                entries.setdefault(key, {})[name.removesuffix(".npy")] = entry
    except (tarfile.TarError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}): copy or generate it again") from None
    return entries


def _read_header(raw: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(raw)
    if version == (1, 0):
        return npy.read_array_header_1_0(raw)
    return npy.read_array_header_2_0(raw)
