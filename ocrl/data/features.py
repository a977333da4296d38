"""Features of videos on disk: computed once, sampled instead of computed again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl.files import whole_file
from ocrl.reading import reading

Compute = Callable[[Tensor], dict[str, Tensor]]
CHUNK = 32  # frames in one forward pass


class VideoFeatures:
    """What a frozen network makes of each frame of some videos, float16, memory-mapped.

    A file's name is the sha256 of the network and of the video's frames: it can be out of date in
    no way, and another dataset with the same video shares it. What is there is not computed again,
    so that an interrupted computation continues.

    Example:
        >>> import tempfile
        >>> from ocrl.data.videos import ArrayVideos
        >>> videos = ArrayVideos(np.full((6, 8, 8, 3), 255, np.uint8), lengths=[2, 4])
        >>> compute = lambda frames: {"mean": frames.float().mean((1, 2, 3))}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     features = VideoFeatures(Path(folder), videos, compute, "mean")
        ...     features.read(1, 0, 2)
        {'mean': tensor([255., 255.])}

    Args:
        folder: where the files are kept.
        videos: whose features.
        compute: frames uint8 (B, H, W, 3) to features by name, (B, ...) each.
        network: tells what computes apart from everything else: a hash of its weights.

    Raises:
        UsageError: the disk is too small.
    """

    def __init__(self, folder: Path, videos: Videos, compute: Compute, network: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        sample = compute(torch.from_numpy(videos.frames(0, 0, 1)))
        self.names = list(sample)
        self._shapes = {name: tuple(feature.shape[1:]) for name, feature in sample.items()}
        self._lengths = [int(length) for length in videos.lengths]
        self.stems = [
            _sha256(network, videos.frames(video, 0, int(length)))
            for video, length in enumerate(videos.lengths)
        ]
        missing = [video for video in range(len(self.stems)) if not self._is_there(video)]
        frames = int(videos.lengths[missing].sum())
        size = frames * sum(2 * feature[0].numel() for feature in sample.values())
        free = shutil.disk_usage(folder).free
        if size > free:
            raise UsageError(
                f"the features of {frames} frames take {size / 1e9:.1f} GB, {folder} has "
                f"{free / 1e9:.1f} GB: choose another pretraining.feature_cache, or null"
            )
        with tqdm(total=frames, desc="features", unit="frame", disable=not missing) as bar:
            for video in missing:
                self._write(video, videos.frames(video, 0, int(videos.lengths[video])), compute)
                bar.update(int(videos.lengths[video]))

    def read(self, video: int, start: int, stop: int) -> dict[str, Tensor]:
        """Return the features of frames ``start`` to ``stop`` of a video, float32 (T, ...) each."""
        features = {}
        for name in self.names:
            path = self._path(video, name)
            with reading(path, "features", "delete the file, it is computed again"):
                rows = np.load(path, mmap_mode="r")
                expected = (self._lengths[video], *self._shapes[name])
                if rows.dtype != np.float16 or rows.shape != expected:
                    raise ValueError(f"it has {rows.dtype} {rows.shape}, not float16 {expected}")
                features[name] = torch.from_numpy(rows[start:stop].astype(np.float32))
        return features

    def _path(self, video: int, name: str) -> Path:
        return self.folder / f"{self.stems[video]}.{name}.npy"

    def _is_there(self, video: int) -> bool:
        return all(self._path(video, name).exists() for name in self.names)

    def _write(self, video: int, frames: np.ndarray, compute: Compute) -> None:
        chunks = [compute(chunk) for chunk in torch.split(torch.from_numpy(frames), CHUNK)]
        for name in self.names:
            features = torch.cat([chunk[name].half().cpu() for chunk in chunks])
            with whole_file(self._path(video, name)) as part:
                np.save(part, features.numpy())


def _sha256(network: str, frames: np.ndarray) -> str:
    digest = hashlib.sha256(f"{network} {frames.shape}".encode())
    digest.update(np.ascontiguousarray(frames).data)
    return digest.hexdigest()
