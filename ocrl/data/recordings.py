"""Reads folders of recorded episodes, one ``.npz`` each, as videos."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

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
        try:
            with np.load(path) as episode:
                entries = {
                    name: episode[name] for name in ("frames", "segments") if name in episode
                }
        except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
            raise UsageError(f"{path} cannot be read ({error}): record or copy it again") from None
        if "frames" not in entries:
            raise UsageError(f"{path} has no entry frames: expected uint8 (T, H, W, 3)")
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
