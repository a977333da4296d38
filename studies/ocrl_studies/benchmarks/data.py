"""Load clips: what a training step waits for, and how memory grows with the size of the data."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hydra.utils import instantiate
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from ocrl.data.clips import Clip, ClipDataset
from ocrl.data.coco import COCO
from ocrl.data.prefetching import Ahead
from ocrl.data.shard_writer import write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.transforms import Fitting
from ocrl.data.videos import ArrayVideos, Videos
from ocrl_studies.benchmarks.encoders import training_step
from ocrl_studies.benchmarks.measuring import interleaved
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table

NUM_IMAGES = (100, 2000)
IMAGE_SIZE = (640, 480)  # of most photographs in COCO, width first
VIDEO_SHAPE = (8, 24, 128, 128, 3)  # of MOVi
STEPS = 40
WORKERS = 2


class Source(NamedTuple):
    """Where clips come from, and who is trained on them.

    Attributes:
        videos: frames.
        encoder: a small one, as ``encoder=`` has it.
        clip_length: frames.
        fitting: to the encoder's size.
    """

    videos: Videos
    encoder: str
    clip_length: int
    fitting: Fitting


def run(budget: float) -> None:
    """Print two tables.

    Args:
        budget: CPU seconds for each measurement.
    """
    with tempfile.TemporaryDirectory() as folder:
        measure_loading(budget, make_sources(Path(folder)))
    measure_memory()


def make_sources(folder: Path) -> Mapping[str, Source]:
    """Write photographs and videos of the sizes of COCO and MOVi."""
    videos = np.random.default_rng(0).integers(0, 256, VIDEO_SHAPE, np.uint8)
    arrays = [{"video": video} for video in videos]
    write_shards(lambda first: arrays[first:], folder, "movi", "train", progress=False)
    memory = ArrayVideos(videos.reshape(-1, *VIDEO_SHAPE[2:]), [VIDEO_SHAPE[1]] * VIDEO_SHAPE[0])
    write_photographs(folder / "coco", NUM_IMAGES[0])
    whole, cropped = Fitting("none"), Fitting("random", flip=True)
    return {
        "videos in memory": Source(memory, "slotcontrast", 4, whole),
        "videos in shards": Source(ShardVideos(folder, "train"), "slotcontrast", 4, whole),
        "photographs, JPEG": Source(COCO(folder / "coco", "train"), "dinosaur_small", 1, cropped),
    }


def write_photographs(folder: Path, number: int) -> None:
    """Write one image of smooth colours and fine grain under so many names, as COCO has them."""
    rng = np.random.default_rng(0)
    width, height = IMAGE_SIZE
    coarse = Image.fromarray(rng.integers(0, 256, (height // 40, width // 40, 3), np.uint8))
    smooth = np.asarray(coarse.resize(IMAGE_SIZE, Image.Resampling.BICUBIC), np.float32)
    grained = (smooth + rng.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    images = folder / "train2017"
    images.mkdir(parents=True)
    first = images / f"{0:012d}.jpg"
    Image.fromarray(grained).save(first, quality=90)
    for i in range(1, number):
        os.link(first, images / f"{i:012d}.jpg")


def measure_loading(budget: float, sources: Mapping[str, Source]) -> None:
    """Print how long a batch takes, and how long steps wait for it where it is loaded ahead."""
    rows = []
    for name, source in sources.items():
        cfg = compose("pretrain_slots", [f"encoder={source.encoder}"])
        encoder = instantiate(cfg.encoder.model)
        clips = ClipDataset(
            source.videos,
            source.clip_length,
            image_size=encoder.image_size,
            fitting=source.fitting,
        )
        load = partial(DataLoader, clips, cfg.pretraining.batch_size, shuffle=True, drop_last=True)
        batches = endless(load())
        step = training_step(encoder, cfg.pretraining, next(batches))
        times = interleaved({"loading": partial(next, batches), "step": step}, budget)
        shares = [
            times["loading"] / sum(times.values()),
            waited(endless(Ahead(load())), step),
            waited(endless(Ahead(load(num_workers=WORKERS, persistent_workers=True))), step),
        ]
        milliseconds = [f"{1000 * times[part]:.1f}" for part in ("loading", "step")]
        rows.append([name, *milliseconds, *(f"{100 * share:.1f} %" for share in shares)])
    titles = ["CPU-ms for a batch", "CPU-ms for a step", "share of loading", "waiting"]
    print_table(["clips from", *titles, f"with {WORKERS} workers"], rows)


def endless(loader: Iterable[Clip]) -> Iterator[Tensor]:
    """Yield batches of videos without an end."""
    while True:
        for batch in loader:
            yield batch["video"]


def waited(batches: Iterator[Tensor], step: Callable[[], None]) -> float:
    """Return the share of time that steps wait for batches, by the wall clock, after the first."""
    next(batches)
    waiting, start = 0.0, time.perf_counter()
    for _ in range(STEPS):
        asked = time.perf_counter()
        next(batches)
        waiting += time.perf_counter() - asked
        step()
    return waiting / (time.perf_counter() - start)


def measure_memory() -> None:
    """Print how much more memory this process has after it read all of a data set."""
    rows = []
    for number in NUM_IMAGES:
        with tempfile.TemporaryDirectory() as folder:
            write_photographs(Path(folder), number)
            before = resident()
            videos = COCO(folder, "train")
            clips = ClipDataset(
                videos, 1, image_size=(64, 64), fitting=Fitting("random", flip=True)
            )
            for index in range(number):
                clips[index]
            rows.append([f"{number:,}", f"{resident() - before:.1f}"])
    print_table(["photographs read", "MB of memory more"], rows)


def resident() -> float:
    """Return the memory that this process has now, in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
