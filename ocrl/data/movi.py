"""The published MOVi videos, from a copy of their TensorFlow Datasets folder or from the web."""

from __future__ import annotations

import difflib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ocrl.data.tfrecords import bytes_features, numbers, read_records
from ocrl.errors import UsageError
from ocrl.extras import name_extras
from ocrl.reading import check_regular, parsing

with name_extras():
    import imageio.v3 as iio

PUBLISHED = "gs://kubric-public/tfds"
ADVICE = "copy it again, or check the connection"
LARGEST_LIST = 2**24
"""Bytes of a list of splits that are read."""

NAMES = ("movi_a", "movi_b", "movi_c", "movi_d", "movi_e", "movi_f")


class MoviRecords:
    """The videos of one split, one after another, as dictionaries of arrays.

    Each has ``video`` uint8 (T, H, W, 3) and ``segmentations`` uint8 (T, H, W, 1); if wanted also
    ``forward_flow`` float16 (T, H, W, 2), pixels right and down until the next frame.

    Args:
        name: ``movi_a`` to ``movi_f``.
        split: ``train``, ``validation`` or ``test``.
        source: folder of TensorFlow Datasets, or its ``gs://`` or ``https://`` address.
        size: height and width of the frames.
        flow: whether it is wanted.

    Raises:
        UsageError: an unknown name or split, or a source without this dataset.
    """

    def __init__(
        self,
        name: str,
        split: str,
        *,
        source: str = PUBLISHED,
        size: int = 128,
        flow: bool = False,
    ) -> None:
        self._flow = flow
        if name not in NAMES:
            nearest = difflib.get_close_matches(name, NAMES, n=1, cutoff=0) or [NAMES[0]]
            raise UsageError(
                f"{name!r} is no MOVi dataset (movi_a to movi_f): did you mean {nearest[0]}?"
            )
        self._folder = f"{source}/{name}/{size}x{size}/1.0.0"
        index = f"{self._folder}/dataset_info.json"
        with _open(index) as file, parsing(index, "list of splits", ADVICE):
            splits = json.loads(file.read(LARGEST_LIST))["splits"]
            lengths = {entry["name"]: [int(n) for n in entry["shardLengths"]] for entry in splits}
            if any(number < 0 for files in lengths.values() for number in files):
                raise ValueError("a file has fewer than no videos")
            if not all(isinstance(known, str) for known in lengths):
                raise ValueError("a split has no name")
        if split not in lengths:
            raise UsageError(f"{name} has no split {split!r}: expected one of {', '.join(lengths)}")
        self._length = sum(lengths[split])
        number = len(lengths[split])
        self._files = [
            f"{self._folder}/{name}-{split}.tfrecord-{i:05d}-of-{number:05d}" for i in range(number)
        ]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Read the videos in the order of the files.

        Raises:
            UsageError: a file cannot be read or reached.
        """
        for path in self._files:
            with _open(path) as file:
                records = read_records(file)
                while True:
                    with parsing(path, "file of videos", ADVICE):
                        record = next(records, None)
                        if record is None:
                            break
                        arrays = self._arrays(record)
                    yield arrays

    def _arrays(self, record: bytes) -> dict[str, NDArray[Any]]:
        features = bytes_features(record)
        arrays: dict[str, NDArray[Any]] = {
            "video": _frames(features["video"]),
            "segmentations": _frames(features["segmentations"])[..., None],
        }
        if self._flow:
            arrays["forward_flow"] = _forward_flow(record, arrays["video"].shape)
        return arrays


def _frames(images: list[bytes]) -> NDArray[np.uint8]:
    return np.stack([iio.imread(image, extension=".png") for image in images])


def _forward_flow(record: bytes, shape: tuple[int, ...]) -> NDArray[np.float16]:
    # As documented with the dataset: 16 bits span a range, rows come before columns.
    low, high = numbers(record, "metadata/forward_flow_range")
    stored = numbers(record, "forward_flow").reshape(*shape[:3], 2)
    flow: NDArray[np.float16] = (stored / 65535 * (high - low) + low).astype(np.float16)
    return flow[..., ::-1]


def _open(path: str) -> BinaryIO:
    """Open a local file or an address."""
    address = path.replace("gs://", "https://storage.googleapis.com/", 1)
    try:
        if "://" in address:
            return cast(BinaryIO, urllib.request.urlopen(address, timeout=60))
        local = os.path.expanduser(address)
        if os.path.lexists(local):
            check_regular(local, "file of MOVi")
        return open(local, "rb")
    except (OSError, urllib.error.URLError) as error:
        raise UsageError(
            f"{path} cannot be opened ({error}): give source=<folder of TensorFlow Datasets>, or "
            "check the connection"
        ) from None
