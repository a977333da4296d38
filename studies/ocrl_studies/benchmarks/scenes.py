"""Generate MOVi-like scenes, score masks."""

from __future__ import annotations

import itertools
from functools import partial

import torch

from ocrl.metrics import SlotIdentity, hard_segments, segmentation_metrics
from ocrl_envs.scenes import (
    Recipe,
    generate_scene,
    movi_a_like,
    movi_c_like,
    movi_e_like,
)
from ocrl_studies.benchmarks.measuring import seconds
from ocrl_studies.core.tables import print_table

RECIPES = {"movi_a_like": movi_a_like, "movi_c_like": movi_c_like, "movi_e_like": movi_e_like}
NUM_FRAMES = 24
NUM_SLOTS = 11


def run(budget: float) -> None:
    """Print two tables.

    Args:
        budget: CPU seconds for each measurement.
    """
    measure_generation(budget)
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
