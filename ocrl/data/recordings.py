"""Folders of recorded episodes, one ``.npz`` each, as videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrl.data.array_files import read_arrays
from ocrl.data.videos import ArrayVideos
from ocrl.errors import UsageError


def load_recordings(
    folder: str | Path, pattern: str = "*.npz", *, exclude: str | None = None
) -> ArrayVideos:
    """Return recorded episodes, for example of DeepMind Lab, as videos.

    Each file holds ``frames`` uint8 (T, H, W, 3), and, if there is ground truth, ``segments``
    integers (T, H, W); other entries are not read.

    Args:
        folder: where the files lie.
        pattern: which of them, such as ``nav_maze_static_01_*.npz``; read in order of their names.
        exclude: those of them to leave out, such as ``nav_maze_static_03_*``.

    Raises:
        UsageError: no file, a broken one, or frames that do not fit together.
    """
    paths = sorted(
        path for path in Path(folder).glob(pattern) if exclude is None or not path.match(exclude)
    )
    if not paths:
        raise UsageError(f"no {pattern} in {folder}: give the folder of the recorded episodes")
    frames, segments = [], []
    for path in paths:
        entries = read_arrays(path, ("frames", "segments"))
        check_episode(path, entries)
        frames.append(entries["frames"])
        if "segments" in entries:
            segments.append(entries["segments"])
        if frames[-1].shape[1:] != frames[0].shape[1:] or len(segments) not in (0, len(frames)):
            raise UsageError(
                f"{path} has frames {frames[-1].shape[1:]} and "
                f"{'' if 'segments' in entries else 'no '}segments, unlike {paths[0].name}: "
                "keep recordings of different kinds in different folders"
            )
    return ArrayVideos(
        np.concatenate(frames),
        [len(piece) for piece in frames],
        np.concatenate(segments) if segments else None,
    )


def check_episode(path: Path, entries: Mapping[str, NDArray[Any]]) -> None:
    """Raise UsageError unless the entries of a file are frames, and segments of the same size."""
    if "frames" not in entries:
        raise UsageError(f"{path} has no entry frames: expected uint8 (T, H, W, 3)")
    frames, segments = entries["frames"], entries.get("segments")
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise UsageError(
            f"{path} has frames {frames.dtype} {frames.shape}: expected uint8 (T, H, W, 3)"
        )
    if segments is not None and (
        segments.dtype.kind not in "iu" or segments.shape != frames.shape[:3]
    ):
        raise UsageError(
            f"{path} has segments {segments.dtype} {segments.shape}: expected integers "
            f"{frames.shape[:3]}"
        )
