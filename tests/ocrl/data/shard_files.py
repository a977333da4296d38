"""Videos of noise, and their shards."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.shard_writer import write_shards

Arrays = dict[str, NDArray[Any]]


def random_videos(number: int, seed: int = 0, segments: bool = True) -> list[Arrays]:
    rng = np.random.default_rng(seed)
    videos = []
    for i in range(number):
        video = rng.integers(0, 256, (5 + i % 3, 8, 10, 3), dtype=np.uint8)
        ids = rng.integers(0, 4, (*video.shape[:3], 1), dtype=np.uint8)
        arrays = {"video": video, "fps": np.array(12)}
        videos.append({**arrays, "segmentations": ids} if segments else arrays)
    return videos


def write_tar(path: Path, entries: dict[str, NDArray[Any]]) -> None:
    """Write a shard as the official scripts do: raw .npy files in a tar."""
    with tarfile.open(path, "w") as tar:
        for name, array in entries.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            member = tarfile.TarInfo(name)
            member.size = buffer.getbuffer().nbytes
            buffer.seek(0)
            tar.addfile(member, buffer)


def write(folder: Path, videos: list[Arrays], **options: Any) -> list[Path]:
    return write_shards(
        lambda first: videos[first:], folder, "movi_x", "train", progress=False, **options
    )
