"""Plain video files as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ocrl.data.clips import resize
from ocrl.data.videos import ArrayVideos
from ocrl.errors import UsageError
from ocrl.extras import name_extras
from ocrl.reading import reading

with name_extras():
    import imageio.v3 as iio

SUFFIXES = (".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm")


def load_video_files(
    folder: str | Path,
    image_size: tuple[int, int],
    *,
    every: int = 1,
    progress: bool = True,
) -> ArrayVideos:
    """Return the video files of a folder and its subfolders, resized, in memory.

    Args:
        folder: holds ``.mp4``, ``.mov``, ``.mkv``, ``.avi``, ``.webm`` or ``.gif`` files, which
            are read in order of their names.
        image_size: (height, width) to resize the frames to.
        every: keep one of so many frames.
        progress: show a progress bar.

    Raises:
        UsageError: no video file, or one that cannot be read.
    """
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError(f"no video file in {folder}: expected one of {' '.join(SUFFIXES)}")
    videos = []
    for path in tqdm(paths, desc=str(folder), unit="video", disable=not progress):
        with reading(path, "video", "re-encode it, or take it out of the folder"):
            frames = [
                resize(torch.from_numpy(frame)[None], image_size).numpy()
                for index, frame in enumerate(iio.imiter(path, plugin="pyav"))
                if index % every == 0
            ]
            videos.append(np.concatenate(frames))
    return ArrayVideos(np.concatenate(videos), [len(video) for video in videos])
