"""Plain video files as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocrl.data.video_files import load_video_files
from ocrl.errors import UsageError
from ocrl.visualization import save_video


def ramp(number: int) -> np.ndarray:
    frames = np.zeros((number, 32, 48, 3), np.uint8)
    frames += np.linspace(20, 220, number).astype(np.uint8)[:, None, None, None]
    return frames


def test_files_are_read_in_order_and_resized(tmp_path: Path) -> None:
    save_video(tmp_path / "b.mp4", ramp(5))
    save_video(tmp_path / "a" / "c.mp4", ramp(9)[::-1].copy())
    (tmp_path / "notes.txt").write_text("no video")
    videos = load_video_files(tmp_path, (16, 16), progress=False)
    assert videos.lengths.tolist() == [9, 5]
    for number, expected in [(0, ramp(9)[::-1]), (1, ramp(5))]:
        read = videos.frames(number, 0, 9).astype(int)
        assert read.shape[1:] == (16, 16, 3)
        assert np.abs(read - expected[:, :16, :16]).max() < 12
    thinned = load_video_files(tmp_path, (16, 16), every=2, progress=False)
    assert thinned.lengths.tolist() == [5, 3]
    assert (thinned.frames(0, 0, 5) == videos.frames(0, 0, 9)[::2]).all()


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no video file"):
        load_video_files(tmp_path, (16, 16), progress=False)
    save_video(tmp_path / "a.mp4", ramp(5))
    whole = (tmp_path / "a.mp4").read_bytes()
    for broken in (whole[:100], b"", b"hello"):
        (tmp_path / "a.mp4").write_bytes(broken)
        with pytest.raises(UsageError, match=r"cannot read the video .*a\.mp4") as error:
            load_video_files(tmp_path, (16, 16), progress=False)
        assert "\n" not in str(error.value)
