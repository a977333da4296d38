"""Clips: which frames they hold, and that nothing about loading them is random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from ocrl.data.clips import VARIANTS, ClipDataset, MixedClips, evaluation_clips, resize
from ocrl.data.recordings import load_recordings
from ocrl.data.transforms import Fitting
from ocrl.data.videos import ArrayVideos
from ocrl.errors import UsageError

DMLAB = Path(__file__).parents[3] / "../shared/dmlab"


def numbered(lengths: list[int], segments: bool = False) -> ArrayVideos:
    """Frames whose pixels are (video, frame, column)."""
    frames = np.zeros((sum(lengths), 6, 8, 3), np.uint8)
    frames[..., 0] = np.repeat(np.arange(len(lengths)), lengths)[:, None, None]
    frames[..., 1] = np.concatenate([np.arange(n) for n in lengths])[:, None, None]
    frames[..., 2] = np.arange(8)
    ids = frames.astype(np.uint16) @ np.array([1000, 10, 1], np.uint16)
    return ArrayVideos(frames, lengths, ids if segments else None)


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    clip_length=st.integers(1, 5),
    stride=st.integers(1, 6),
)
def test_all_clips_and_only_those_within_a_video(
    lengths: list[int], clip_length: int, stride: int
) -> None:
    expected = [
        (video, start)
        for video, length in enumerate(lengths)
        for start in range(0, length - clip_length + 1, stride)
    ]
    if not expected:
        with pytest.raises(UsageError, match="shorter clips"):
            ClipDataset(numbered(lengths), clip_length, stride=stride)
        return
    clips = ClipDataset(numbered(lengths), clip_length, stride=stride)
    found = []
    for index in range(len(clips)):
        video = clips[index]["video"]
        assert video.shape == (clip_length, 6, 8, 3)
        assert len(video[..., 0].unique()) == 1
        start = int(video[0, 0, 0, 1])
        assert video[:, 0, 0, 1].tolist() == list(range(start, start + clip_length))
        found.append((int(video[0, 0, 0, 0]), start))
    assert found == expected


def test_flip_mirrors_frames_and_segments_together() -> None:
    videos = numbered([5], segments=True)
    plain = ClipDataset(videos, 2, segments=True)
    size = tuple(plain[0]["video"].shape[1:3])
    fitting = Fitting(flip=True)
    clips = ClipDataset(videos, 2, image_size=size, fitting=fitting, segments=True)
    assert len(clips) == VARIANTS * len(plain)
    mirrored = 0
    for index in range(16):
        clip, original = clips[index], plain[index % len(plain)]
        weights = torch.tensor([1000, 10, 1], dtype=torch.int32)
        assert torch.equal((clip["video"].int() * weights).sum(-1), clip["segments"])
        assert torch.equal(clip["video"], clips[index]["video"])
        if not torch.equal(clip["video"], original["video"]):
            assert torch.equal(clip["video"].flip(2), original["video"])
            mirrored += 1
    assert 2 < mirrored < 14


def test_clips_can_be_changed_without_changing_the_videos() -> None:
    clips = ClipDataset(numbered([5]), 2)
    clips[0]["video"].fill_(99)
    assert int(clips[0]["video"].max()) < 99


def test_workers_change_nothing() -> None:
    clips = ClipDataset(numbered([9, 7], segments=True), 3, segments=True)
    alone = list(DataLoader(clips, batch_size=4))
    shared = list(DataLoader(clips, batch_size=4, num_workers=2))
    assert len(alone) == len(shared)
    for a, b in zip(alone, shared, strict=True):
        assert torch.equal(a["video"], b["video"])
        assert torch.equal(a["segments"], b["segments"])


def test_resize_averages_frames_and_picks_segments() -> None:
    frames = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    frames[:, :, ::2] = 200
    assert (resize(frames, (4, 4)).float() - 100).abs().max() <= 30
    segments = torch.zeros(1, 8, 8, dtype=torch.int32)
    segments[:, :4, :4], segments[:, 4:, 4:] = 4097, 3 * 4096 + 5
    for size in [(4, 4), (5, 3), (11, 16)]:
        resized = resize(segments, size)
        assert resized.dtype == torch.int32
        assert resized[0, 0, 0] == 4097
        assert sorted(resized.unique().tolist()) == [0, 4097, 12293]
    assert (resize(segments, (4, 4)) == 4097).sum() == 4


def test_mixed_clips_take_equal_shares() -> None:
    few, many = ClipDataset(numbered([4]), 2), ClipDataset(numbered([3, 30]), 2)
    mixed = MixedClips([few, many])
    assert len(mixed) == 2 * len(many)
    for index in range(len(mixed)):
        source = few if index % 2 == 0 else many
        expected = source[index // 2 % len(source)]
        assert torch.equal(mixed[index]["video"], expected["video"])


def test_evaluation_clips_are_spread_and_apart() -> None:
    clips = evaluation_clips(numbered([20, 21], segments=True), 5, num_clips=4)
    starts = [(int(clip["video"][0, 0, 0, 0]), int(clip["video"][0, 0, 0, 1])) for clip in clips]
    assert len(set(starts)) == 4
    assert starts[0] == (0, 0)
    assert starts[-1] == (1, 15)
    assert all(start % 5 == 0 for _, start in starts)
    assert "segments" in clips[0]
    assert len(evaluation_clips(numbered([20]), 5, num_clips=100)) == 4


def write(path: Path, **entries: np.ndarray) -> None:
    np.savez(path, **entries)


def test_recordings_are_read_in_order(tmp_path: Path) -> None:
    for number in (1, 0):
        frames = np.full((3 + number, 6, 8, 3), number, np.uint8)
        write(tmp_path / f"level_{number:02d}.npz", frames=frames, actions=np.zeros(3))
    videos = load_recordings(tmp_path)
    assert videos.lengths.tolist() == [3, 4]
    assert (videos.frames(1, 0, 4) == 1).all()
    assert load_recordings(tmp_path, "level_01.npz").lengths.tolist() == [4]


def test_recordings_of_deepmind_lab() -> None:
    if not DMLAB.exists():
        pytest.skip("shared/dmlab is absent")
    videos = load_recordings(DMLAB, "nav_maze_static_02_*.npz")
    assert videos.lengths.tolist() == [450] * 4
    assert ClipDataset(videos, 4)[1000]["video"].shape == (4, 64, 64, 3)


def test_bad_recordings_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \*.npz"):
        load_recordings(tmp_path)
    write(tmp_path / "a.npz", frames=np.zeros((3, 6, 8, 3), np.uint8))
    write(tmp_path / "b.npz", frames=np.zeros((3, 6, 9, 3), np.uint8))
    with pytest.raises(UsageError, match=r"b.npz has frames"):
        load_recordings(tmp_path)
    write(tmp_path / "b.npz", images=np.zeros((3, 6, 8, 3), np.uint8))
    with pytest.raises(UsageError, match=r"b.npz has no entry frames"):
        load_recordings(tmp_path)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"cannot read .*b.npz"):
        load_recordings(tmp_path)


def test_bad_arrays_are_refused() -> None:
    frames = np.zeros((4, 6, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="uint8"):
        ArrayVideos(frames.astype(np.float32), [4])
    with pytest.raises(UsageError, match="sum to 5"):
        ArrayVideos(frames, [2, 3])
    with pytest.raises(UsageError, match="one segment id per pixel"):
        ArrayVideos(frames, [4], np.zeros((4, 6, 9), np.uint8))
    with pytest.raises(UsageError, match="without segments"):
        ClipDataset(numbered([5]), 2, segments=True)
    with pytest.raises(UsageError, match="without segments"):
        numbered([5]).segments(0, 0, 2)
