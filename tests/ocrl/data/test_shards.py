"""Shards: what is written comes back, as in the official data scripts; damage is named."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shard_files import Arrays, random_videos, write, write_tar

from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.data.shards import ShardVideos
from ocrl.errors import UsageError


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    videos = random_videos(70)
    paths = write(tmp_path, videos)
    assert [p.name for p in paths] == [f"movi_x-train-{i:06d}.tar" for i in range(3)]
    assert sorted(tmp_path.iterdir()) == [*paths, tmp_path / "movi_x-train.json"]
    with tarfile.open(paths[1]) as tar:
        names = tar.getnames()
    arrays = ["video.npy", "video.crc32.npy", "fps.npy", "segmentations.npy"]
    assert names[:5] == [f"32.{name}" for name in [*arrays, "segmentations.crc32.npy"]]
    read = ShardVideos(tmp_path, "train")
    assert read.lengths.tolist() == [len(v["video"]) for v in videos]
    for i, arrays in enumerate(videos):
        assert (read.frames(i, 0, 99) == arrays["video"]).all()
        assert (read.frames(i, 1, 4) == arrays["video"][1:4]).all()
        assert (read.segments(i, 2, 5) == arrays["segmentations"][2:5, ..., 0]).all()


def test_official_shards_are_read(tmp_path: Path) -> None:
    movi = random_videos(1)[0]
    flow = np.zeros((5, 8, 10, 2), np.uint16)
    entries = {"0.video.npy": movi["video"], "0.segmentations.npy": movi["segmentations"]}
    write_tar(tmp_path / "movi_c-validation-000000.tar", {**entries, "0.forward_flow.npy": flow})
    official = ShardVideos(tmp_path, "validation")
    assert (official.frames(0, 0, 5) == movi["video"]).all()
    assert not official.has_flow  # integers without their range
    with pytest.raises(UsageError, match="no optical flow"):
        official.flow(0, 0, 5)

    objects = np.zeros((5, 8, 10, 3), np.uint8)
    objects[:, :4, :, 0], objects[:, 4:6, :, 2] = 26, 3
    entries = {"0.video.npy": movi["video"], "0.segmentations.npy": objects}
    write_tar(tmp_path / "ytvis-test-000000.tar", entries)
    ids = ShardVideos(tmp_path, "test").segments(0, 0, 5)
    assert (ids[:, :4] == 1).all()
    assert (ids[:, 4:6] == 3).all()
    assert (ids[:, 6:] == 0).all()


def test_training_shards_without_segments(tmp_path: Path) -> None:
    write(tmp_path, random_videos(3, segments=False))
    videos = ShardVideos(tmp_path, "train")
    assert not videos.has_segments
    assert set(ClipDataset(videos, 4)[0]) == {"video"}


def test_clips_of_shards(tmp_path: Path) -> None:
    written = random_videos(3)
    write(tmp_path, written)
    clips = evaluation_clips(ShardVideos(tmp_path, "train"), 5, num_clips=3, image_size=(16, 16))
    assert len(clips) == 3
    assert clips[1]["video"].shape == (5, 16, 16, 3)
    assert clips[1]["segments"].shape == (5, 16, 16)


def test_a_shard_of_another_size_than_listed_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, random_videos(40))
    with paths[1].open("ab") as file:
        file.write(bytes(512))
    with pytest.raises(UsageError, match=r"000001.tar is not the shard of \d+ bytes"):
        ShardVideos(tmp_path, "train")


def test_a_shard_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    """As one of a longer conversion before would be, which nobody removed."""
    paths = write(tmp_path, random_videos(40))
    shutil.copy(paths[1], paths[1].with_name("movi_x-train-000002.tar"))
    with pytest.raises(UsageError, match=r"000002.tar is none of the shards that .* lists"):
        ShardVideos(tmp_path, "train")


def test_any_flipped_bit_of_a_shard_is_named(tmp_path: Path) -> None:
    """Wherever it is in what is used: headers of the tar, of arrays, arrays and checksums."""
    (path,) = write(tmp_path, random_videos(2))
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        used = max(member.offset_data + member.size for member in tar)
    rng = np.random.default_rng(0)
    said = []
    for place in rng.choice(used, 300, replace=False):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        said.append(what_is_said_of(tmp_path, random_videos(2)))
    named = [line for line in said if line]
    assert all(str(path) in line and "again" in line and "\n" not in line for line in named)
    assert len(named) > 150  # the others are in what fills up blocks of the tar


def what_is_said_of(folder: Path, written: list[Arrays]) -> str:
    """Read all videos; return what was wrong, or nothing if they are what was written."""
    try:
        videos = ShardVideos(folder, "train")
        read = [(videos.frames(i, 0, 9), videos.segments(i, 0, 9)) for i in range(len(written))]
    except UsageError as error:
        return str(error)
    for (frames, segments), arrays in zip(read, written, strict=True):
        assert (frames == arrays["video"]).all()
        assert (segments == arrays["segmentations"][..., 0]).all()
    return ""


def test_of_a_damaged_video_the_whole_frames_are_read(tmp_path: Path) -> None:
    (path,) = write(tmp_path, random_videos(1))
    content = path.read_bytes()
    frame = random_videos(1)[0]["video"][2].tobytes()
    path.write_bytes(content.replace(frame, frame[:-1] + bytes([frame[-1] ^ 1])))
    videos = ShardVideos(tmp_path, "train")
    assert videos.frames(0, 0, 2).shape == (2, 8, 10, 3)
    with pytest.raises(UsageError, match=r"000000.tar \(0.video.npy is damaged\)"):
        videos.frames(0, 1, 4)


def test_a_shard_without_its_end_was_cut_short(tmp_path: Path) -> None:
    """Cut between two videos a tar is read to its end without a word."""
    entries = {f"{i}.video.npy": v["video"] for i, v in enumerate(random_videos(2))}
    path = tmp_path / "x-train-000000.tar"
    write_tar(path, entries)
    assert len(ShardVideos(tmp_path, "train").lengths) == 2
    with tarfile.open(path) as tar:
        second = tar.getmembers()[1].offset
    path.write_bytes(path.read_bytes()[:second])
    with pytest.raises(UsageError, match="cut short"):
        ShardVideos(tmp_path, "train")


def test_bad_shards_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no shards"):
        ShardVideos(tmp_path, "train")
    paths = write(tmp_path, random_videos(70))
    paths[1].rename(tmp_path / "aside")
    with pytest.raises(UsageError, match=r"movi_x-train-000001\.tar is missing"):
        ShardVideos(tmp_path, "train")
    (tmp_path / "aside").rename(paths[1])
    whole = paths[2].read_bytes()
    for length in (len(whole) // 2, 700, 100):
        paths[2].write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"000002.tar is not the shard") as error:
            ShardVideos(tmp_path, "train")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"0.image.npy": np.zeros((2, 8, 8, 3), np.uint8)}, "image uint8"),
        ({"0.depth.npy": np.zeros((2, 8, 8, 3), np.uint8)}, "no video"),
        ({"0.video.npy": np.zeros((2, 8, 8, 3), np.float32)}, "float32"),
        (
            {
                "0.video.npy": np.zeros((2, 8, 8, 3), np.uint8),
                "0.segmentations.npy": np.zeros((2, 4, 4, 1), np.uint8),
            },
            "same size",
        ),
        (
            {
                "0.video.npy": np.zeros((2, 8, 8, 3), np.uint8),
                "0.segmentations.npy": np.zeros((2, 8, 8, 1), np.uint8),
                "1.video.npy": np.zeros((2, 8, 8, 3), np.uint8),
            },
            "1 of 2 videos",
        ),
    ],
)
def test_other_layouts_are_refused(
    entries: dict[str, NDArray[Any]], match: str, tmp_path: Path
) -> None:
    write_tar(tmp_path / "x-train-000000.tar", entries)
    with pytest.raises(UsageError, match=match):
        ShardVideos(tmp_path, "train")
