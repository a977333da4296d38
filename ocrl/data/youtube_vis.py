"""YouTube-VIS 2019 and 2021 in their original folders: videos, and instances over time."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.annotated import ADVICE, AnnotatedVideos
from ocrl.data.images import check_same_size, image_shape, read_image
from ocrl.data.overlapping import exclusive_ids
from ocrl.data.run_lengths import category_ids, decode_mask, read_annotations
from ocrl.errors import UsageError
from ocrl.reading import check_fields

HELD_OUT = 300
"""The last so many annotated videos are what SlotContrast and VideoSAUR validate on."""


class YouTubeVIS(AnnotatedVideos):
    """Videos of one split (Yang et al. 2019).

    The official validation set has no public annotations, so both splits are of the official
    training set: "validation" its last 300 videos, as in the official SlotContrast data script.

    Args:
        folder: holds ``train/JPEGImages/<video>/*.jpg`` and ``train/instances.json``.
        split: "train" or "validation".
        skip_bad: leave out frames that do not decode with what surrounds them, and count them.

    Raises:
        UsageError: there is no such split, or its annotations are missing.
    """

    def __init__(self, folder: str | Path, split: str, *, skip_bad: bool = False) -> None:
        if split not in ("train", "validation"):
            raise UsageError(f"YouTube-VIS has no split {split!r}: choose train or validation")
        self.images = Path(folder) / "train/JPEGImages"
        self.annotations = Path(folder) / "train/instances.json"
        content = read_annotations(self.annotations, ("videos", "annotations", "categories"))
        entries = content["videos"]
        if split == "train" and len(entries) <= HELD_OUT:
            raise UsageError(
                f"{self.annotations} has {len(entries)} videos, of which {HELD_OUT} are held out: "
                "copy the whole training set"
            )
        self.videos = entries[-HELD_OUT:] if split == "validation" else entries[:-HELD_OUT]
        self.categories = category_ids(content, self.annotations)
        fields = {"id": int, "height": int, "width": int, "file_names": list[str]}
        for entry in self.videos:
            check_fields(entry, fields, f"{self.annotations}: a video", ADVICE)
            if not entry["file_names"]:
                raise UsageError(f"{self.annotations}: video {entry['id']} has no frames: {ADVICE}")
        names = [str(Path(entry["file_names"][0]).parent) for entry in self.videos]
        lengths = [len(entry["file_names"]) for entry in self.videos]
        super().__init__(names, lengths, skip_bad=skip_bad)

    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode frames of a video, uint8 (T, H, W, 3)."""
        names = self.videos[video]["file_names"][start:stop]
        return np.stack([read_image(self.images / name) for name in names])

    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Return the instance, or category, of each pixel, int32 (T, H, W)."""
        masks, categories = self.masks(video, start, stop)
        return exclusive_ids(masks, categories if classes else None)

    def arrays(self, video: int) -> dict[str, NDArray[Any]]:
        """Return a video as the official shards have it: a channel of its category an object."""
        length = int(self.lengths[video])
        masks, categories = self.masks(video, 0, length)
        # two at least: a single channel is taken for ids, and all of the split for without classes
        channels = np.zeros((*masks.shape[1:], max(2, len(masks))), np.uint8)
        for number, (mask, category) in enumerate(zip(masks, categories, strict=True)):
            channels[mask, number] = category
        return {"video": self.read_frames(video, 0, length), "segmentations": channels}

    def masks(
        self, video: int, start: int, stop: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return the instances in some frames, bool (N, T, H, W), and categories, int64 (N,).

        Raises:
            UsageError: a category is not in the list, or a mask of another size than its frame.
        """
        entry = self.videos[video]
        size = (int(entry["height"]), int(entry["width"]))
        check_same_size(
            self.annotations, size, image_shape(self.images / entry["file_names"][start])
        )
        instances = self._instances.get(entry["id"], [])
        categories = np.array([instance["category_id"] for instance in instances], np.int64)
        unknown = sorted({*categories.tolist()} - self.categories)
        if unknown:
            raise UsageError(
                f"{self.annotations}: category {unknown[0]} is not in its list: copy it again"
            )
        number = len(range(*slice(start, stop).indices(int(self.lengths[video]))))
        masks = np.zeros((len(instances), number, *size), bool)
        for mask, instance in zip(masks, instances, strict=True):
            given = instance["segmentations"][start:stop]
            for in_frame, segmentation in zip(mask, given, strict=True):
                if segmentation is not None:
                    in_frame[:] = decode_mask(segmentation, size, self.annotations)
        return masks, categories

    @cached_property
    def _instances(self) -> dict[int, list[dict[str, Any]]]:
        """Each video's instances; training, which asks for none, does not keep them."""
        found: dict[int, list[dict[str, Any]]] = {entry["id"]: [] for entry in self.videos}
        for instance in read_annotations(self.annotations, ("annotations",))["annotations"]:
            if instance["video_id"] in found:
                found[instance["video_id"]].append(instance)
        return found
