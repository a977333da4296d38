"""PASCAL VOC 2012 in its original folders: photographs with instance and class masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.annotated import AnnotatedVideos
from ocrl.data.images import check_same_size, image_shape, read_image, read_lines, read_palette
from ocrl.data.overlapping import LEFT_OUT
from ocrl.errors import UsageError

BORDER = 255
"""What annotators left open."""

NUM_CLASSES = 20


class VOC(AnnotatedVideos):
    """Images of one split, in the order of its list (Everingham et al. 2010).

    Args:
        folder: ``VOC2012``, which holds ``JPEGImages/``, ``SegmentationObject/``,
            ``SegmentationClass/`` and ``ImageSets/Segmentation/``.
        split: "train" is trainaug (10,582 images) if its list is there, else the 1,464 of train;
            "validation" the 1,449 that papers score on.
        skip_bad: leave out images that do not decode, and count them.

    Raises:
        UsageError: there is no such split.
    """

    def __init__(self, folder: str | Path, split: str, *, skip_bad: bool = False) -> None:
        lists = {"train": ("trainaug", "train"), "validation": ("val",)}
        if split not in lists:
            raise UsageError(f"PASCAL VOC has no split {split!r}: choose train or validation")
        self.folder = Path(folder)
        paths = [self.folder / f"ImageSets/Segmentation/{name}.txt" for name in lists[split]]
        found = [path for path in paths if path.exists()]
        if not found:
            raise UsageError(
                f"there is no {paths[-1]}: unpack PASCAL VOC 2012 so that {self.folder} holds "
                "JPEGImages and ImageSets, or give another data.path"
            )
        # lists of trainaug name whole paths
        names = [Path(line).stem for line in read_lines(found[0])]
        super().__init__(names, [1] * len(names), skip_bad=skip_bad)

    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode an image, uint8 (1, H, W, 3)."""
        return read_image(self._image(video))[None][start:stop]

    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Return the instance, or class, of each pixel, int32 (1, H, W), -1 on borders."""
        kind = "SegmentationClass" if classes else "SegmentationObject"
        path = self.folder / f"{kind}/{self.names[video]}.png"
        ids = read_palette(path).astype(np.int32)
        check_same_size(path, ids.shape, image_shape(self._image(video)))
        ids[ids == BORDER] = LEFT_OUT
        if classes and ids.max() > NUM_CLASSES:
            raise UsageError(
                f"{path}: pixels have class {ids.max()}, PASCAL VOC has {NUM_CLASSES}: copy the "
                "annotations again, as they were published"
            )
        return ids[None][start:stop]

    def arrays(self, video: int) -> dict[str, NDArray[Any]]:
        """Return an image as our shards have it: instances and classes, -1 on borders."""
        return {
            "image": self.read_frames(video, 0, 1)[0],
            "segmentations": self.read_segments(video, 0, 1, classes=False).astype(np.int16),
            "classes": self.read_segments(video, 0, 1, classes=True).astype(np.int16),
        }

    def _image(self, video: int) -> Path:
        return self.folder / f"JPEGImages/{self.names[video]}.jpg"
