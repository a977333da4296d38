"""Generate MOVi-like scenes, load clips, score masks."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from hydra.utils import instantiate
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ocrl.data.clips import Clip, ClipDataset
from ocrl.data.shard_writer import write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.videos import ArrayVideos, Videos
from ocrl.metrics import SlotIdentity, hard_segments, segmentation_metrics
from ocrl_envs.scenes import (
    Recipe,
    generate_scene,
    generate_scenes,
    movi_a_like,
    movi_c_like,
    movi_e_like,
)
from ocrl_studies.benchmarks.encoders import training_step
from ocrl_studies.benchmarks.measuring import interleaved, seconds
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table

RECIPES = {"movi_a_like": movi_a_like, "movi_c_like": movi_c_like, "movi_e_like": movi_e_like}
NUM_FRAMES = 24
NUM_SCENES = 8
NUM_SLOTS = 11


def run(budget: float) -> None:
    """Print three tables.

    Args:
        budget: CPU seconds for each measurement.
    """
    measure_generation(budget)
    measure_loading(budget)
    measure_metrics(budget)


def measure_generation(budget: float) -> None:
    """Print frames per CPU-second, with physics, shadows and ground truth."""
    rows = []
    for name, recipe in RECIPES.items():
        rate = NUM_FRAMES / scene_time(recipe(image_size=(64, 64), num_frames=NUM_FRAMES), budget)
        rows.append([name, f"{rate:,.0f}"])
    print_table(["scenes, 64x64", "frames per CPU-second"], rows)


def scene_time(recipe: Recipe, budget: float) -> float:
    """Return CPU seconds of a scene; scenes differ, so it wants several."""
    seeds = itertools.count()
    return seconds(lambda: generate_scene(recipe, next(seeds)), budget)


def measure_loading(budget: float) -> None:
    """Print how long a training step of the default encoder waits for its clips."""
    cfg = compose("pretrain_slots")
    encoder = instantiate(cfg.encoder.model)
    recipe = movi_a_like(image_size=(64, 64), num_frames=NUM_FRAMES)
    scenes = list(generate_scenes(recipe, NUM_SCENES, seed=0))
    frames = np.concatenate([scene.video for scene in scenes])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        arrays = [scene.arrays() for scene in scenes]
        write_shards(lambda first: arrays[first:], folder, "scenes", "train", progress=False)
        sources: dict[str, Videos] = {
            "shards": ShardVideos(folder, "train"),
            "memory": ArrayVideos(frames, [NUM_FRAMES] * NUM_SCENES),
        }
        for name, videos in sources.items():
            clips = ClipDataset(videos, cfg.clip_length, image_size=recipe.image_size)
            batches = endless(clips, cfg.pretraining.batch_size)
            step = training_step(encoder, cfg.pretraining, next(batches))
            times = interleaved({"loading": partial(next, batches), "step": step}, budget)
            share = times["loading"] / sum(times.values())
            rows.append([name, f"{1000 * times['loading']:.2f}", f"{100 * share:.1f} %"])
    print_table(["clips from", "CPU-ms for a batch", "share of a training step"], rows)


def endless(clips: Dataset[Clip], batch_size: int) -> Iterator[Tensor]:
    """Yield random batches of videos without an end, as training loads them."""
    while True:
        for batch in DataLoader(clips, batch_size, shuffle=True, drop_last=True):
            yield batch["video"]


def measure_metrics(budget: float) -> None:
    """Print CPU-milliseconds of each score."""
    scene = generate_scene(movi_c_like(image_size=(128, 128), num_frames=NUM_FRAMES), 0)
    true = torch.from_numpy(scene.segmentations).long()[None]
    masks = torch.rand(1, NUM_FRAMES, NUM_SLOTS, 16, 16, generator=torch.Generator().manual_seed(0))
    ids = hard_segments(masks, (128, 128))
    metrics = [*segmentation_metrics().items(), ("slot identity", SlotIdentity())]
    rows = [
        [name, f"{1000 * seconds(partial(metric.update, ids, true), budget):.1f}"]
        for name, metric in metrics
    ]
    hard = seconds(lambda: hard_segments(masks, (128, 128)), budget)
    rows.append(["soft masks of 16x16 to segments, once for all", f"{1000 * hard:.1f}"])
    title = f"{NUM_FRAMES} frames of 128x128, {NUM_SLOTS} slots"
    print_table([title, "CPU-ms"], rows)
