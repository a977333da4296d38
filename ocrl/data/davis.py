"""DAVIS 2017 in its original folders: videos with a mask of each object in every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocrl.data.annotated import AnnotatedVideos
from ocrl.data.images import check_same_size, image_shape, read_image, read_lines, read_palette
from ocrl.errors import UsageError

LISTS = {"train": "train", "validation": "val"}


class DAVIS(AnnotatedVideos):
    """Videos of one split, unsupervised annotations at 480p (Caelles et al. 2019).

    Args:
        folder: holds ``JPEGImages/480p/``, ``Annotations_unsupervised/480p/`` and
            ``ImageSets/2017/``.
        split: "train" or "validation".
        skip_bad: leave out frames that do not decode with what surrounds them, and count them.

    Raises:
        UsageError: there is no such split, or no frame of one of its videos.
    """

    has_classes = False

    def __init__(self, folder: str | Path, split: str, *, skip_bad: bool = False) -> None:
        if split not in LISTS:
            raise UsageError(f"DAVIS has no split {split!r}: choose train or validation")
        self.folder = Path(folder)
        names = read_lines(self.folder / f"ImageSets/2017/{LISTS[split]}.txt")
        self.files = [
            sorted(path.stem for path in (self.folder / f"JPEGImages/480p/{name}").glob("*.jpg"))
            for name in names
        ]
        for name, files in zip(names, self.files, strict=True):
            if not files:
                raise UsageError(
                    f"there are no frames in {self.folder}/JPEGImages/480p/{name}: unpack DAVIS "
                    "2017 (480p, unsupervised) there, or give another data.path"
                )
        super().__init__(names, [len(files) for files in self.files], skip_bad=skip_bad)

    def read_frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode frames of a video, uint8 (T, H, W, 3)."""
        folder = self.folder / "JPEGImages/480p" / self.names[video]
        names = self.files[video][start:stop]
        return np.stack([read_image(folder / f"{name}.jpg") for name in names])

    def read_segments(
        self, video: int, start: int, stop: int, *, classes: bool
    ) -> NDArray[np.int32]:
        """Return the object of each pixel, int32 (T, H, W).

        Raises:
            UsageError: classes are asked for, which there are none of.
        """
        if classes:
            raise UsageError("DAVIS has objects without classes: score instances")
        folder = self.folder / "Annotations_unsupervised/480p" / self.names[video]
        names = self.files[video]
        size = image_shape(self.folder / f"JPEGImages/480p/{self.names[video]}/{names[start]}.jpg")
        paths = [folder / f"{name}.png" for name in names[start:stop]]
        ids = [read_palette(path).astype(np.int32) for path in paths]
        for path, mask in zip(paths, ids, strict=True):
            check_same_size(path, mask.shape, size)
        return np.stack(ids)
