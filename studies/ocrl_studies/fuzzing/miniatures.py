"""Data, runs and files in miniature: what they are made of does not matter, all they say does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from omegaconf import OmegaConf
from PIL import Image
from torch.utils.data import Dataset

import ocrl
from ocrl.data.conversion import open_published
from ocrl.data.features import VideoFeatures
from ocrl.data.movi import MoviRecords
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts
from ocrl.data.shard_writer import write_shards
from ocrl.data.videos import ArrayVideos, Videos
from ocrl.encoder import TrainableEncoder
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl_agents.checkpoints import load_policy, read_agent
from ocrl_agents.evaluation import Episode
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_studies.core.record import Record
from ocrl_studies.habits import Habits
from ocrl_studies.manifest import note
from ocrl_studies.runs import Run
from ocrl_studies.segmentation.scoring import ContenderScores
from ocrl_studies.transfer.episodes import save_episodes

NOTES = {
    "encoder": {"name": "ground_truth", "finetune": False},
    "agent": {"precision": "float32", "previous_step": False},
    "env": {"action_repeat": 4},
}
"""Habits of an agent."""

RUN = {"env": {"name": "maze"}, "agent": {"a": 1}, "seed": 0, "total_steps": 9}
"""Configuration of a run."""

MADE_WITH = {"data.policy": "random", "data.num_steps": 9}
"""Settings of data."""


class Tokens(gym.Env[Any, Any]):
    """Shows tokens that say nothing."""

    observation_space: gym.spaces.Space[Any] = gym.spaces.Box(-1, 1, (3, 4), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: Any) -> Any:
        """Begin."""
        return np.zeros((3, 4), np.float32), {}

    def step(self, action: Any) -> Any:
        """Go on."""
        return np.zeros((3, 4), np.float32), 1.0, False, False, {}


class Frames(Tokens):
    """Shows grey frames."""

    observation_space: gym.spaces.Space[Any] = gym.spaces.Box(0, 255, (8, 8, 3), np.uint8)

    def reset(self, **_: Any) -> Any:
        """Begin."""
        return np.full((8, 8, 3), 90, np.uint8), {}

    def step(self, action: Any) -> Any:
        """Go on."""
        return np.full((8, 8, 3), 90, np.uint8), 0.0, False, False, {}


class Clips(Dataset[dict[str, torch.Tensor]]):
    """Short videos of noise with segments."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.videos = torch.from_numpy(rng.integers(0, 255, (4, 2, 16, 16, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return a video."""
        return {"video": self.videos[index], "segments": self.videos[index, ..., 0].int()}


def read_all(videos: Videos) -> None:
    """Read every frame, and every segment."""
    for number, length in enumerate(videos.lengths):
        frames = videos.frames(number, 0, int(length))
        if frames.dtype != np.uint8 or len(frames) != length:
            raise AssertionError(f"frames {frames.dtype} {frames.shape} for {length}")
        if videos.has_segments:
            videos.segments(number, 0, int(length))


def tiny_encoder() -> TrainableEncoder:
    """Return an encoder of two small slots."""
    torch.manual_seed(0)
    encoder = ocrl.create_encoder("slotcontrast", num_slots=2, slot_dim=8, image_size=(16, 16))
    assert isinstance(encoder, TrainableEncoder)
    return encoder


def tokens(number: int = 2) -> GymnasiumVecEnv:
    """Return environments that show tokens."""
    mode = gym.vector.AutoresetMode.SAME_STEP
    return GymnasiumVecEnv(gym.vector.SyncVectorEnv([Tokens] * number, autoreset_mode=mode))


def train_tiny(folder: Path, steps: int, *, resume: bool = False) -> None:
    """Train an agent for some steps, or go on with it."""
    model = make_ppo(tokens(), seed=0, n_steps=4, batch_size=8, calibration_steps=0)
    train(model, steps, folder, notes=NOTES, resume=resume, progress=False, checkpoint_every=8)


def pretrain_tiny(folder: Path, steps: int, *, resume: bool = False) -> None:
    """Pretrain an encoder for some steps, or go on with it."""
    settings = PretrainingSettings(
        max_steps=steps, steps_per_epoch=1, batch_size=1, learning_rate=1e-3, warmup_steps=1,
        gradient_clip=1.0, seed=0,
    )  # fmt: skip
    pretrain(
        tiny_encoder(), Clips(), Clips(), settings, folder, scores=SegmentationScores(0),
        callbacks=[], resume=resume,
    )  # fmt: skip


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


def make_record(folder: Path) -> None:
    """Write the record of a cell."""
    stages = {"training": {"wall": 1.0, "cpu": 1.0}}
    settings = {"seed": 0, "encoder.name": "grid"}
    Record(folder / "record.json", "a", settings, {"x": "y"}, {"cores": "2"}, stages).save()


def make_run(folder: Path) -> None:
    """Write the configuration of a run."""
    (folder / "config.yaml").write_text(yaml.safe_dump(RUN))


def read_run(folder: Path) -> None:
    """Ask whether the run may go on."""
    cfg = OmegaConf.create({**RUN, "run_dir": str(folder), "resume": True})
    Run.of(cfg, ("env", "agent", "seed"), "total_steps").check()


def make_checkpoint(folder: Path) -> None:
    """Write weights as published code does."""
    state = {f"decoder.{n}": torch.randn(3, 4) for n in range(3)}
    torch.save({"state_dict": state, "epoch": 3}, folder / "a.ckpt")


def make_texts(folder: Path) -> None:
    """Write files of text: a layout, episodes, scores, a curve, settings."""
    (folder / "maze.txt").write_text(
        Layout.from_text("*****\n*P G*\n*   *\n*A  *\n*****").to_text()
    )
    save_episodes(folder / "train.json", [Episode(7, {"layout": 3}, 1.0, 9, {"success": 1.0})] * 2)
    ContenderScores({"fg_ari": 0.5}, {"fg_ari": 3}, 4, 100, False).save(folder / "scored")
    (folder / "progress.csv").write_text("step,return\n8,1.5\n16,2.5\n")
    note(folder / "made_with.json", MADE_WITH)
    (folder / "scores.json").write_text(json.dumps({"grid": {"fg_ari": 0.1}}))


def read_agent_file(folder: Path) -> None:
    """Read an agent, and build its policy."""
    path = folder / "last.safetensors"
    Habits.of_agent(read_agent(path), str(path))
    load_policy(path, tokens(1))


def read_coco(folder: Path) -> None:
    """Read images and masks."""
    read_all(open_published("coco", folder, "validation"))
