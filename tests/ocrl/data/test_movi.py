"""Reading published MOVi videos, on records in exactly their layout."""

from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniatures import png, random_videos, record, write_tfds

from ocrl.data.conversion import convert
from ocrl.data.movi import MoviRecords
from ocrl.data.shards import ShardVideos
from ocrl.data.tfrecords import bytes_features, numbers, read_records
from ocrl.errors import UsageError

# A TFRecord file with one video of two frames of 2x3 pixels, as tensorflow-datasets 4.9 wrote it
# with the features of MOVi (video, segmentations, flow, depth, camera, instances, metadata).
RECORD = (
    "eNorZmYAA/HHpwu5PrBxGXAJJCfmphYl6hfkF2eWZObnFQvJCElxSTDgAFx7GLlYyzJTUvOFNjFyrWfkCusM8HPn"
    "5ZLiAkryenq4BAFpkCVMHExAUkjsoy+QkvV0cQzhmJnckW9V8vlP9r+jXTzX883+3tB+sOsxK0NOINez7pBYA5D5"
    "nq5+LuucEpq4QokxVwZqrsXr7Ze2TfP+1iy8+INZKa+94MZoeUaPRHaTE+n/TFCMXc3IxVucmp6bmleSCPHuTEau"
    "aYxcnjitA2nfIW95DEgJQK1LSEpKSPp1Hiirx8jhv9fgCooVJBmVkvLr/JEDB1gYWDUYOXT6ak6gGKXDxZOWX1Se"
    "WJQSn5aTXy4kI4UvaoA+YU1JLSjJEOpn5Oph5HLB5RABkPIX/U9bgRQ3zE8ObAwMfAyMG2e9YkNxA3VMSeYSzswr"
    "LknMS04tRkprPkJeXB4MVAJcMlzCuakliSmJJYn64DQanwdM3EKsXMxcjAZc8lxicNm80tx4uHuEWKWACpi5VLhE"
    "4ArA4RhflJiXnirEI8TFxQG3RImLD+GT3MTiYiEBIT4uHgaGBnsY5hLn4oObVJ6ZAowRiBWFWeecAbaQwu4="
)
VIDEO = [
    [
        [[95, 130, 194], [217, 207, 235], [15, 163, 33]],
        [[215, 217, 130], [248, 189, 16], [69, 184, 232]],
    ],
    [[[205, 78, 169], [61, 125, 10], [29, 240, 66]], [[19, 182, 39], [59, 4, 59], [81, 222, 44]]],
]
SEGMENTATIONS = [[[2, 2, 0], [4, 1, 0]], [[1, 3, 2], [1, 3, 4]]]


def genuine_record() -> bytes:
    return zlib.decompress(base64.b64decode(RECORD))


def test_genuine_record() -> None:
    records = list(read_records(io.BytesIO(genuine_record())))
    assert len(records) == 1
    features = bytes_features(records[0])
    assert np.stack([iio.imread(image) for image in features["video"]]).tolist() == VIDEO
    masks = np.stack([iio.imread(image) for image in features["segmentations"]])
    assert masks.tolist() == SEGMENTATIONS
    assert features["metadata/video_name"] == [b"0"]
    assert numbers(records[0], "forward_flow").tolist() == [0] * 24
    assert numbers(records[0], "instances/mass").tolist() == [1.0] * 3
    assert numbers(records[0], "metadata/num_instances").tolist() == [3]
    with pytest.raises(KeyError, match="video"):
        numbers(records[0], "video")


def test_conversion_keeps_everything_in_order(tmp_path: Path) -> None:
    videos = random_videos(5)
    write_tfds(tmp_path / "tfds", [videos[:2], videos[2:]])
    options = {"source": str(tmp_path / "tfds"), "progress": False}
    convert("movi_c", "validation", tmp_path / "shards", **options)
    read = ShardVideos(tmp_path / "shards", "validation")
    assert read.lengths.tolist() == [4] * 5
    for i, (video, segments) in enumerate(videos):
        assert (read.frames(i, 0, 4) == video).all()
        assert (read.segments(i, 0, 4) == segments).all()
    convert("movi_c", "validation", tmp_path / "few", limit=3, **options)
    assert len(ShardVideos(tmp_path / "few", "validation").lengths) == 3


@given(st.lists(st.integers(0, 2**40), max_size=40))
def test_packed_integers(values: list[int]) -> None:
    data = record({"other": [b"x"], "a": values or [0]})[12:-4]
    assert numbers(data, "a").tolist() == (values or [0])


def test_flow_is_in_pixels_to_the_right_and_down(tmp_path: Path) -> None:
    video, segments = random_videos(1)[0]
    inner = write_tfds(tmp_path, [[(video, segments)]])
    steps = np.zeros((4, 16, 16, 2), np.int64)  # (down, right), between -8 and 12 pixels
    steps[1, 2, 3] = 65535, 0
    steps[2] = 65535 * 2 // 5
    features = {
        "video": [*map(png, video)],
        "segmentations": [*map(png, segments)],
        "forward_flow": steps.ravel().tolist(),
        "metadata/forward_flow_range": [-8.0, 12.0],
    }
    next(inner.glob("*.tfrecord*")).write_bytes(record(features))
    options = {"source": str(tmp_path), "progress": False, "flow": True}
    convert("movi_c", "validation", tmp_path / "shards", **options)
    flow = ShardVideos(tmp_path / "shards", "validation").flow(0, 0, 4)
    assert flow.shape == (4, 16, 16, 2)
    assert flow[1, 2, 3].tolist() == [-8, 12]
    assert flow[0, 0, 0].tolist() == [-8, -8]
    assert np.abs(flow[2]).max() < 1e-3


def test_published_videos_are_reached_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def urlopen(address: str, timeout: float) -> io.BytesIO:
        asked.append(address)
        if address.endswith("dataset_info.json"):
            info = {"splits": [{"name": "test", "shardLengths": ["1"]}]}
            return io.BytesIO(json.dumps(info).encode())
        return io.BytesIO(genuine_record())

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    videos = list(MoviRecords("movi_e", "test", size=256))
    assert videos[0]["video"].tolist() == VIDEO
    base = "https://storage.googleapis.com/kubric-public/tfds/movi_e/256x256/1.0.0"
    assert asked == [f"{base}/dataset_info.json", f"{base}/movi_e-test.tfrecord-00000-of-00001"]


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    inner = write_tfds(tmp_path, [random_videos(2)])
    source = str(tmp_path)
    with pytest.raises(UsageError, match="did you mean movi_c"):
        MoviRecords("movi-c", "validation", source=source)
    with pytest.raises(UsageError, match="no split 'train': expected one of validation"):
        MoviRecords("movi_c", "train", source=source)
    with pytest.raises(UsageError, match=r"dataset_info.json cannot be opened"):
        MoviRecords("movi_c", "validation", source=source, size=256)
    path = next(inner.glob("*.tfrecord*"))
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 3], whole[:5], whole[:12] + bytes(len(whole))):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match="cannot read the file of videos") as error:
            list(MoviRecords("movi_c", "validation", source=source))
        assert "\n" not in str(error.value)
    path.write_bytes((2**40).to_bytes(8, "little") + whole[8:])
    with pytest.raises(UsageError, match="a record of 1099511627776 bytes"):
        list(MoviRecords("movi_c", "validation", source=source))
    index = inner / "dataset_info.json"
    index.write_text(index.read_text().replace('"2"', '"-2"'))
    with pytest.raises(UsageError, match="fewer than no videos"):
        MoviRecords("movi_c", "validation", source=source)
    index.write_text(index.read_text().replace('"-2"', '"2"'))
    named = index.read_text()
    index.write_text(named.replace('"validation"', "0.5"))
    with pytest.raises(UsageError, match="a split has no name"):
        MoviRecords("movi_c", "validation", source=source)
    index.write_text(named)
    path.unlink()
    with pytest.raises(UsageError, match="cannot be opened"):
        list(MoviRecords("movi_c", "validation", source=source))


def test_an_unreachable_bucket_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(address: str, timeout: float) -> io.BytesIO:
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(UsageError, match="check the connection"):
        MoviRecords("movi_a", "train")
