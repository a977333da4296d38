"""COCO 2017 in its original folders: photographs, and instances that may overlap."""

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
from ocrl.reading import parsing

FOLDERS = {"train": "train2017", "validation": "val2017"}


class COCO(AnnotatedVideos):
    """Images of one split, ordered by file name; crowds are no instances (Lin et al. 2014).

    Annotations are read when segments are asked for: training needs none.

    Args:
        folder: holds ``train2017/``, ``val2017/`` and ``annotations/instances_*.json``.
        split: "train" or "validation".
        skip_bad: leave out images that do not decode, and count them.

    Raises:
        UsageError: there is no such split, or no image of it.
    """

    def __init__(self, folder: str | Path, split: str, *, skip_bad: bool = False) -> None:
        if split not in FOLDERS:
            raise UsageError(f"COCO has no split {split!r}: choose train or validation")
        self.images = Path(folder) / FOLDERS[split]
        self.annotations = Path(folder) / f"annotations/instances_{FOLDERS[split]}.json"
        names = sorted(path.name for path in self.images.glob("*.jpg"))
        if not names:
            raise UsageError(
                f"there are no images in {self.images}: unpack COCO 2017 there, as {FOLDERS[split]}"
                "/*.jpg and annotations/instances_*.json, or give another data.path"
            )
        super().__init__(names, [1] * len(names), skip_bad=skip_bad)

    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode an image, uint8 (1, H, W, 3)."""
        return read_image(self.images / self.names[video])[None][start:stop]

    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Return the instance, or category, of each pixel, int32 (1, H, W)."""
        masks, ids = self.masks(video)
        return exclusive_ids(masks, ids if classes else None)[None][start:stop]

    def arrays(self, video: int) -> dict[str, NDArray[Any]]:
        """Return an image as the official shards have it: a channel of its category an instance."""
        masks, categories = self.masks(video)
        if not len(masks):
            masks, categories = np.zeros((1, *masks.shape[1:]), bool), np.zeros(1, np.int64)
        channels = masks * categories[:, None, None].astype(np.uint8)
        return {"image": self.read_frames(video, 0, 1)[0], "segmentations": channels}

    def masks(self, video: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return the instances of an image, bool (N, H, W), and their categories, int64 (N,).

        Raises:
            UsageError: the image is not in the annotation file, or of another size there.
        """
        name = self.names[video]
        if name not in self._instances:
            raise UsageError(
                f"{self.annotations} does not know {name}: copy the annotations of these images"
            )
        image, instances = self._instances[name]
        size = (int(image["height"]), int(image["width"]))
        check_same_size(self.annotations, size, image_shape(self.images / name))
        decoded = [decode_mask(i.get("segmentation"), size, self.annotations) for i in instances]
        categories = np.array([i["category_id"] for i in instances], np.int64)
        return np.stack(decoded) if decoded else np.zeros((0, *size), bool), categories

    @cached_property
    def _instances(self) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Each image's entry and its instances, by file name."""
        with parsing(self.annotations, "annotation file", ADVICE):
            return self._read_instances()

    def _read_instances(self) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
        content = read_annotations(self.annotations, ("images", "annotations", "categories"))
        known = category_ids(content, self.annotations)
        by_id: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {
            image["id"]: (image, []) for image in content["images"]
        }
        for instance in content["annotations"]:
            if instance["category_id"] not in known:
                raise UsageError(
                    f"{self.annotations}: instance {instance['id']} has category "
                    f"{instance['category_id']}, which is not in its list: copy the file again"
                )
            if instance["image_id"] not in by_id:
                raise UsageError(
                    f"{self.annotations}: instance {instance['id']} is in an image that is not in "
                    "its list: copy the file again"
                )
            if not instance.get("iscrowd"):
                by_id[instance["image_id"]][1].append(instance)
        named = {image["file_name"]: (image, found) for image, found in by_id.values()}
        if len(named) < len(content["images"]):
            raise ValueError("two images have the same file_name or id")
        return named
