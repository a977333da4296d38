"""Data in miniature: what it shows does not matter, all else is as in the originals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocrl.data.conversion import open_published
from ocrl.data.features import VideoFeatures
from ocrl.data.movi import MoviRecords
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts
from ocrl.data.shard_writer import write_shards
from ocrl.data.videos import ArrayVideos, Videos


class Frames(gym.Env[Any, Any]):
    """Shows grey frames."""

    observation_space = gym.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: Any) -> Any:
        """Begin."""
        return np.full((8, 8, 3), 90, np.uint8), {}

    def step(self, action: Any) -> Any:
        """Go on."""
        return np.full((8, 8, 3), 90, np.uint8), 0.0, False, False, {}


def read_all(videos: Videos) -> None:
    """Read every frame, and every segment."""
    for number, length in enumerate(videos.lengths):
        frames = videos.frames(number, 0, int(length))
        if frames.dtype != np.uint8 or len(frames) != length:
            raise AssertionError(f"frames {frames.dtype} {frames.shape} for {length}")
        if videos.has_segments:
            videos.segments(number, 0, int(length))


def make_recordings(folder: Path) -> None:
    """Write a recorded episode."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (5, 8, 8, 3), np.uint8)
    np.savez(folder / "a.npz", frames=frames, segments=frames[..., 0].astype(np.int32))


def minari_folder(folder: Path) -> Path:
    """Have Minari look in a folder."""
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
    return folder


def make_rollouts(folder: Path) -> None:
    """Write rollouts with segments."""
    minari_folder(folder)
    mode = gym.vector.AutoresetMode.NEXT_STEP
    envs = gym.vector.SyncVectorEnv([Frames] * 2, autoreset_mode=mode)

    def extras() -> dict[str, NDArray[Any]]:
        return {"segments": np.zeros((2, 8, 8), np.uint16)}

    collect_rollouts(
        envs, lambda _: np.zeros(2, int), "grey/frames-v0", 8, seed=0, extras=extras, progress=False
    )


def read_rollouts(folder: Path) -> None:
    """Read them, at once and piece by piece."""
    minari_folder(folder)
    for in_memory in (True, False):
        read_all(load_rollouts("grey/frames-v0", in_memory=in_memory))


def make_shards(folder: Path) -> None:
    """Write a shard of two videos."""
    rng = np.random.default_rng(0)
    videos = [
        {
            "video": rng.integers(0, 255, (3, 6, 6, 3), np.uint8),
            "segmentations": rng.integers(0, 3, (3, 6, 6, 1), np.uint8),
        }
        for _ in range(2)
    ]
    write_shards(lambda first: videos[first:], folder, "noise", "train", progress=False)


def make_coco(folder: Path) -> None:
    """Write an image of COCO, with a mask by run lengths and one by its outline."""
    (folder / "val2017").mkdir()
    (folder / "annotations").mkdir()
    image = np.random.default_rng(0).integers(0, 255, (12, 10, 3), np.uint8)
    Image.fromarray(image).save(folder / "val2017/000000000001.jpg")
    counts = {"size": [12, 10], "counts": [20, 30, 70]}
    box = [[1.0, 1.0, 8.0, 1.0, 8.0, 9.0, 1.0, 9.0]]
    content = {
        "images": [{"id": 7, "file_name": "000000000001.jpg", "height": 12, "width": 10}],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 3, "iscrowd": 0, "segmentation": mask}
            for n, mask in enumerate((counts, box))
        ],
        "categories": [{"id": 3, "name": "car"}],
    }
    (folder / "annotations/instances_val2017.json").write_text(json.dumps(content))


def make_voc(folder: Path) -> None:
    """Write an image of VOC, with its masks."""
    ids = np.zeros((12, 10), np.uint8)
    ids[2:6, 2:6] = 1
    for part, suffix in (
        ("JPEGImages", "jpg"),
        ("SegmentationObject", "png"),
        ("SegmentationClass", "png"),
    ):
        (folder / part).mkdir()
        image = Image.fromarray(ids if suffix == "png" else np.stack([ids] * 3, -1))
        (image.convert("P") if suffix == "png" else image).save(folder / part / f"a.{suffix}")
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for split in ("train", "val"):
        (lists / f"{split}.txt").write_text("a\n")


def make_movi(folder: Path) -> None:
    """Write a video of MOVi, of one frame."""
    place = folder / "movi_a/128x128/1.0.0"
    place.mkdir(parents=True)
    splits = [{"name": "train", "shardLengths": ["1"], "numBytes": "9"}]
    (place / "dataset_info.json").write_text(json.dumps({"splits": splits}))
    image = iio.imwrite("<bytes>", np.zeros((4, 4, 3), np.uint8), extension=".png")
    grey = iio.imwrite("<bytes>", np.zeros((4, 4), np.uint8), extension=".png")

    def field(number: int, content: bytes) -> bytes:
        length, head = len(content), bytearray([number << 3 | 2])
        while length > 127:
            head.append(length & 127 | 128)
            length >>= 7
        return bytes([*head, length]) + content

    def feature(name: str, value: bytes) -> bytes:
        values = field(1, field(1, value))
        return field(1, field(1, name.encode()) + field(2, values))

    example = field(1, feature("video", image) + feature("segmentations", grey))
    record = len(example).to_bytes(8, "little") + bytes(4) + example + bytes(4)
    (place / "movi_a-train.tfrecord-00000-of-00001").write_bytes(record)


def read_movi(folder: Path) -> None:
    """Read it."""
    for _ in MoviRecords("movi_a", "train", source=str(folder)):
        pass


def make_video(folder: Path) -> None:
    """Write a video file."""
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
    with iio.imopen(folder / "a.mp4", "w", plugin="pyav") as file:
        file.write(frames, codec="libx264", fps=6)


def features_of(folder: Path) -> VideoFeatures:
    """Return cached features of two videos."""
    videos = ArrayVideos(np.full((6, 8, 8, 3), 255, np.uint8), lengths=[2, 4])
    return VideoFeatures(folder, videos, lambda x: {"mean": x.float().mean((1, 2))}, "mean")


def make_features(folder: Path) -> None:
    """Write them, the first under a name of its own."""
    features_of(folder)
    first = min(folder.glob("*.npy"))
    first.rename(folder / "a.npy")
    (folder / "name.txt").write_text(first.name)


def read_features(folder: Path) -> None:
    """Read them, the first from there."""
    name = (folder / "name.txt").read_text()
    if os.path.lexists(folder / "a.npy"):
        os.rename(folder / "a.npy", folder / name)
    features = features_of(folder)
    for video in range(2):
        features.read(video, 0, 2)


def read_coco(folder: Path) -> None:
    """Read images and masks."""
    read_all(open_published("coco", folder, "validation"))
