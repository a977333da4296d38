"""Videos and images in tar shards: the WebDataset layout of the official SlotContrast data scripts.

A shard ``<dataset>-<split>-000000.tar`` holds, for each video ``<i>``, ``<i>.video.npy`` uint8
(T, H, W, 3) and, with ground truth, ``<i>.segmentations.npy`` (T, H, W, 1 or objects) and
``<i>.forward_flow.npy`` (T, H, W, 2), in pixels; or for each image ``<i>.image.npy`` (H, W, 3) and
``<i>.segmentations.npy`` (instances, H, W). Where there is ``<i>.classes.npy``, segmentations are
ids, not categories. Arrays lie in the tar as they are, so that a clip is read without the rest.
"""

from __future__ import annotations

import math
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ocrl.data.overlapping import exclusive_ids
from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl.reading import read_object, reading


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

    Images are videos of one frame. Segments are integer ids; those with a channel per object, as in
    the official shards of YouTube-VIS and COCO, become ids 1, 2, ... with 0 where there is none and
    -1 where there are several, and what they hold becomes classes. Flow has to be in pixels:
    integers, as in the official shards of MOVi, lack the range that they are scaled by, and are
    left out.

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
        _check_manifest(Path(folder), split, paths)
        self._videos: list[_Entry] = []
        self._segments: list[_Entry] = []
        self._classes: list[_Entry] = []
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
        self._has_ids = len(self._classes) == len(self._videos)
        self.has_classes = self.has_segments and (
            self._has_ids or all(map(_has_channels, self._segments))
        )
        self.has_flow = len(self._flow) == len(self._videos)
        self.lengths = np.array([_num_frames(video) for video in self._videos], dtype=np.int64)

    def _append(self, path: Path, entries: dict[str, _Entry]) -> None:
        frames = entries.get("video", entries.get("image"))
        kind = "image" if "image" in entries else "video"
        axes = 3 if kind == "image" else 4
        if frames is None or frames.dtype != np.uint8 or len(frames.shape) != axes:
            found = "no video" if frames is None else f"{kind} {frames.dtype} {frames.shape}"
            raise UsageError(
                f"{path} has {found}: expected <i>.video.npy, uint8 (T, H, W, 3), or <i>.image.npy,"
                " uint8 (H, W, 3)"
            )
        self._videos.append(frames)
        segments, flow = entries.get("segmentations"), entries.get("forward_flow")
        if "classes" in entries:
            self._classes.append(entries["classes"])
        if segments is not None:
            fits = (
                segments.shape[1:3] == frames.shape[:2]
                if kind == "image"
                else segments.shape[:3] == frames.shape[:3]
            )
            if not fits:
                raise UsageError(
                    f"{path} has a {kind} {frames.shape} with segmentations {segments.shape}: "
                    "both must have the same frames and the same size; convert them again"
                )
            self._segments.append(segments)
        if flow is not None and flow.dtype.kind == "f" and flow.shape == (*frames.shape[:3], 2):
            self._flow.append(flow)

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Read frames of a video, uint8 (T, H, W, 3)."""
        entry = self._videos[video]
        if len(entry.shape) == 3:
            return entry.read(0, entry.shape[0])[None][start:stop]
        return entry.read(start, stop)

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Read segments of a video, integers (T, H, W)."""
        masks = self._masks(self._segments, video, start, stop)
        with_ids = self._has_ids or not _has_channels(self._segments[video])
        return masks[0] if with_ids else exclusive_ids(masks != 0)

    def classes(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Read categories of a video, integers (T, H, W)."""
        if not self.has_classes:
            return super().classes(video, start, stop)
        if self._has_ids:
            categories: NDArray[np.integer] = self._masks(self._classes, video, start, stop)[0]
            return categories
        masks = self._masks(self._segments, video, start, stop)
        return exclusive_ids(masks != 0, masks.reshape(len(masks), -1).max(1).astype(np.int64))

    def _masks(
        self, entries: list[_Entry], video: int, start: int, stop: int
    ) -> NDArray[np.integer]:
        """Return what is written of each object, (objects, T, H, W); one if there are ids alone."""
        entry = entries[video]
        if len(self._videos[video].shape) == 3:
            return entry.read(0, entry.shape[0])[:, None][:, start:stop]
        masks = entry.read(start, stop)
        return masks[None] if masks.ndim == 3 else np.moveaxis(masks, -1, 0)

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


def _num_frames(entry: _Entry) -> int:
    return entry.shape[0] if len(entry.shape) == 4 else 1


def _has_channels(entry: _Entry) -> bool:
    """Whether objects have a channel each, which holds their category, and no ids."""
    return len(entry.shape) == 3 or entry.shape[-1] > 1


def _check_manifest(folder: Path, split: str, paths: list[Path]) -> None:
    """Raise UsageError unless the shards are those that were published together."""
    dataset = paths[0].name.rpartition(f"-{split}-")[0]
    if (folder / f".{dataset}-{split}.partial/manifest.json").exists():
        raise UsageError(
            f"the {split} shards in {folder} are not all in place, their conversion was "
            "interrupted: run the same command again"
        )
    manifest = folder / f"{dataset}-{split}.json"
    if not manifest.exists():  # such as those of the official scripts
        return
    fields = {"shards": dict[str, dict[str, int | str]]}
    shards = read_object(manifest, "list of shards", "convert the split again", fields=fields)
    others = [path for path in paths if path.name not in shards["shards"]]
    if others:
        raise UsageError(
            f"{others[0]} is none of the shards that {manifest.name} lists: remove it, or convert "
            "the split again with overwrite=true"
        )
    for name, entry in shards["shards"].items():
        path, size = folder / name, entry.get("bytes")
        if not path.exists() or path.stat().st_size != size:
            raise UsageError(
                f"{path} is not the shard of {size} bytes that {manifest.name} lists: copy it "
                "again, or convert the split again with overwrite=true"
            )


def _entries(path: Path) -> dict[str, dict[str, _Entry]]:
    """Return the arrays of each video in a shard, without reading them."""
    entries: dict[str, dict[str, _Entry]] = {}
    with (
        reading(path, "shard", "copy or generate it again"),
        tarfile.open(path, "r:") as shard,
        path.open("rb") as raw,
    ):
        size = path.stat().st_size
        for member in shard:
            key, _, name = Path(member.name).name.partition(".")
            if not name.endswith(".npy"):
                continue
            raw.seek(member.offset_data)
            shape, in_columns, dtype = _read_header(raw)
            if in_columns or dtype.hasobject:
                raise ValueError(f"{member.name} holds objects or columns first")
            entry = _Entry(path, raw.tell(), shape, dtype)
            content = math.prod(shape) * dtype.itemsize
            if (
                min(shape, default=0) < 0
                or entry.offset + content > member.offset_data + member.size
            ):
                raise ValueError(f"{member.name} asks for {dtype} {shape}, more than it has")
            if member.offset_data + member.size > size:
                raise ValueError(f"{member.name} ends beyond the file")
            entries.setdefault(key, {})[name.removesuffix(".npy")] = entry
    return entries


def _read_header(raw: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(raw)
    if version == (1, 0):
        return npy.read_array_header_1_0(raw)
    return npy.read_array_header_2_0(raw)
