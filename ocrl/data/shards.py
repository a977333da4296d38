"""Videos and images in tar shards: the WebDataset layout of the official SlotContrast data scripts.

A shard ``<dataset>-<split>-000000.tar`` holds, for each video ``<i>``, ``<i>.video.npy`` uint8
(T, H, W, 3) and, with ground truth, ``<i>.segmentations.npy`` (T, H, W, 1 or objects) and
``<i>.forward_flow.npy`` (T, H, W, 2), in pixels; or for each image ``<i>.image.npy`` (H, W, 3) and
``<i>.segmentations.npy`` (instances, H, W). Where there is ``<i>.classes.npy``, segmentations are
ids, not categories. Arrays lie in the tar as they are, so that a clip is read without the rest.

Beside an array ``<i>.<name>.npy`` of N rows, those that this package wrote have
``<i>.<name>.crc32.npy``, uint32 (N,), see `ocrl.data.shard_entries`: what is read is whole, or is
refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrl.data.overlapping import exclusive_ids
from ocrl.data.shard_entries import Entry, entries_of
from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl.reading import read_object


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
        self._videos: list[Entry] = []
        self._segments: list[Entry] = []
        self._classes: list[Entry] = []
        self._flow: list[Entry] = []
        for path in paths:
            for entries in entries_of(path).values():
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

    def _append(self, path: Path, entries: dict[str, Entry]) -> None:
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
        self, entries: list[Entry], video: int, start: int, stop: int
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


def listed_shards(manifest: Path, advice: str) -> dict[str, dict[str, int | str]]:
    """Return size and hash of each shard in the list of a split.

    Args:
        manifest: ``<dataset>-<split>.json``.
        advice: what to do if it cannot be read.

    Raises:
        UsageError: it cannot be read.
    """
    fields = {"shards": dict[str, dict[str, int | str]]}
    content = read_object(manifest, "list of shards", advice, fields=fields)
    shards: dict[str, dict[str, int | str]] = content["shards"]
    return shards


def _check_numbers(paths: list[Path]) -> None:
    for number, path in enumerate(paths):
        expected = f"-{number:06d}.tar"
        if not path.name.endswith(expected):
            missing = path.with_name(path.name[: -len(expected)] + expected)
            raise UsageError(f"the shard {missing} is missing: copy or generate it again")


def _num_frames(entry: Entry) -> int:
    return entry.shape[0] if len(entry.shape) == 4 else 1


def _has_channels(entry: Entry) -> bool:
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
    shards = listed_shards(manifest, "convert the split again")
    others = [path for path in paths if path.name not in shards]
    if others:
        raise UsageError(
            f"{others[0]} is none of the shards that {manifest.name} lists: remove it, or convert "
            "the split again with overwrite=true"
        )
    for name, entry in shards.items():
        path, size = folder / name, entry.get("bytes")
        if not path.exists() or path.stat().st_size != size:
            raise UsageError(
                f"{path} is not the shard of {size} bytes that {manifest.name} lists: copy it "
                "again, or convert the split again with overwrite=true"
            )
