"""Samples: a small file of each kind that is read, and whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ocrl
from ocrl.checkpoints.official import read_weights
from ocrl.data.conversion import open_published
from ocrl.data.images import read_image
from ocrl.data.recordings import load_recordings
from ocrl.data.shards import ShardVideos
from ocrl.data.video_files import load_video_files
from ocrl.errors import UsageError
from ocrl.files import newest
from ocrl.pretraining.checkpoint_io import read_whole
from ocrl.visualization.photographs import find_images
from ocrl_envs.maze.layout.layout import Layout
from ocrl_studies.core.record import Record
from ocrl_studies.core.tables import read_curve
from ocrl_studies.fuzzing import miniature_data as data
from ocrl_studies.fuzzing import miniatures as m
from ocrl_studies.manifest import check
from ocrl_studies.segmentation.scoring import ContenderScores
from ocrl_studies.transfer.episodes import load_episodes
from ocrl_studies.transfer.plan import Agent
from ocrl_studies.transfer.results import AgentResult, slot_quality


@dataclass(frozen=True)
class Sample:
    """A kind of file.

    Attributes:
        kind: its name.
        path: of the file, in the folder that ``make`` fills.
        make: writes it, and all that stands beside it.
        read: reads it, as the program does.
    """

    kind: str
    path: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


SAMPLES = [
    Sample(
        "encoder",
        "a.safetensors",
        lambda f: ocrl.save_encoder(f / "a.safetensors", m.tiny_encoder()),
        lambda f: ocrl.load_encoder(f / "a.safetensors"),
    ),
    Sample("agent", "last.safetensors", lambda f: m.train_tiny(f, 8), m.read_agent_file),
    Sample(
        "agent, resumed",
        "last.safetensors",
        lambda f: m.train_tiny(f, 16),
        lambda f: m.train_tiny(f, 24, resume=True),
    ),
    Sample(
        "learning curve, resumed",
        "progress.csv",
        lambda f: m.train_tiny(f, 16),
        lambda f: m.train_tiny(f, 24, resume=True),
    ),
    Sample(
        "pretraining, resumed",
        "last.ckpt",
        lambda f: m.pretrain_tiny(f, 2),
        lambda f: m.pretrain_tiny(f, 3, resume=True),
    ),
    Sample(
        "pretraining, hashes",
        "last.ckpt.sha256",
        lambda f: m.pretrain_tiny(f, 2),
        lambda f: newest(f / "last.ckpt", read_whole),
    ),
    Sample(
        "published checkpoint", "a.ckpt", m.make_checkpoint, lambda f: read_weights(f / "a.ckpt")
    ),
    Sample("recording", "a.npz", data.make_recordings, lambda f: data.read_all(load_recordings(f))),
    Sample(
        "rollouts, data",
        "grey/frames-v0/data/main_data.hdf5",
        data.make_rollouts,
        data.read_rollouts,
    ),
    Sample(
        "rollouts, list",
        "grey/frames-v0/data/metadata.json",
        data.make_rollouts,
        data.read_rollouts,
    ),
    Sample(
        "shard",
        "noise-train-000000.tar",
        data.make_shards,
        lambda f: data.read_all(ShardVideos(f, "train")),
    ),
    Sample(
        "shards, list",
        "noise-train.json",
        data.make_shards,
        lambda f: data.read_all(ShardVideos(f, "train")),
    ),
    Sample("features", "a.npy", data.make_features, data.read_features),
    Sample("annotations", "annotations/instances_val2017.json", data.make_coco, data.read_coco),
    Sample("image", "val2017/000000000001.jpg", data.make_coco, data.read_coco),
    Sample(
        "mask",
        "SegmentationObject/a.png",
        data.make_voc,
        lambda f: data.read_all(open_published("voc", f, "validation")),
    ),
    Sample(
        "list of names",
        "ImageSets/Segmentation/val.txt",
        data.make_voc,
        lambda f: data.read_all(open_published("voc", f, "validation")),
    ),
    Sample(
        "MOVi, records",
        "movi_a/128x128/1.0.0/movi_a-train.tfrecord-00000-of-00001",
        data.make_movi,
        data.read_movi,
    ),
    Sample(
        "MOVi, list",
        "movi_a/128x128/1.0.0/dataset_info.json",
        data.make_movi,
        data.read_movi,
    ),
    Sample(
        "video", "a.mp4", data.make_video, lambda f: load_video_files(f, (8, 8), progress=False)
    ),
    Sample(
        "photograph",
        "val2017/000000000001.jpg",
        data.make_coco,
        lambda f: [read_image(p) for p in find_images(f / "val2017")],
    ),
    Sample(
        "record of a cell", "record.json", m.make_record, lambda f: Record.load(f / "record.json")
    ),
    Sample("configuration of a run", "config.yaml", m.make_run, m.read_run),
    Sample("layout", "maze.txt", m.make_texts, lambda f: Layout.from_file(f / "maze.txt")),
    Sample("episodes", "train.json", m.make_texts, lambda f: load_episodes(f / "train.json")),
    Sample(
        "scores of masks",
        "scored/scores.json",
        m.make_texts,
        lambda f: ContenderScores.load(f / "scored"),
    ),
    Sample(
        "scores of an encoder",
        "scores.json",
        m.make_texts,
        lambda f: slot_quality(AgentResult(Agent.of("grid", 0, None, f), (), f)),
    ),
    Sample(
        "learning curve",
        "progress.csv",
        m.make_texts,
        lambda f: read_curve(f / "progress.csv", "return"),
    ),
    Sample(
        "settings of data",
        "made_with.json",
        m.make_texts,
        lambda f: check(f / "made_with.json", m.MADE_WITH, "the data", "make them again"),
    ),
]
"""A file of each kind that the program reads."""


def is_whole(folder: Path) -> None:
    """Raise UsageError if the last checkpoint of a pretraining is not what was written."""
    path = folder / "last.ckpt"
    if newest(path, read_whole) != path:
        raise UsageError(f"{path} was damaged, and the one before is gone on from")


CHECKPOINTS = [
    Sample("encoder", "a.safetensors", SAMPLES[0].make, SAMPLES[0].read),
    Sample("agent", "last.safetensors", SAMPLES[1].make, SAMPLES[1].read),
    Sample("pretraining", "last.ckpt", lambda f: m.pretrain_tiny(f, 2), is_whole),
]
"""A checkpoint of each kind, and what is to see any damage to it."""
