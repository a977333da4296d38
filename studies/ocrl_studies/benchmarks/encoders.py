"""Encode a frame, train a step: CPU-milliseconds and memory of each encoder."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from ocrl.encoder import Encoder, TrainableEncoder
from ocrl_studies.benchmarks.measuring import interleaved, peak_memory, seconds
from ocrl_studies.composition import compose, find_configs
from ocrl_studies.core.tables import print_table

DEFAULT = "slotcontrast"
SMALL = [64, 64]
BATCHES = (1, 16)


class Cost(NamedTuple):
    """What an encoder costs.

    Attributes:
        frame: CPU seconds of a frame, by batch size.
        step: CPU seconds of a training step.
        memory: of the process at its peak, in MB.
    """

    frame: dict[int, float]
    step: float
    memory: float


def run(budget: float, published: bool) -> None:
    """Print a table of all small encoders, or of SlotContrast in its published size.

    Args:
        budget: CPU seconds for each measurement.
        published: which of them.
    """
    if published:
        measure_published(budget)
    else:
        measure_small(budget)


def measure_small(budget: float) -> None:
    """Print what each small encoder costs, in a process of its own for the sake of its memory."""
    costs = {}
    for name in small_encoders():
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            costs[name] = pool.submit(measure, name, budget).result()
    base = costs[DEFAULT]
    titles = [f"CPU-ms/frame, batch of {size}" for size in BATCHES]
    rows = [
        [
            name,
            *(f"{1000 * cost.frame[size]:.2f}" for size in BATCHES),
            f"{cost.frame[BATCHES[-1]] / base.frame[BATCHES[-1]]:.1f}",
            f"{1000 * cost.step:.0f}",
            f"{cost.step / base.step:.1f}",
            f"{cost.memory:.0f}",
        ]
        for name, cost in costs.items()
    ]
    print_table(["encoder", *titles, "ratio", "CPU-ms/step", "ratio", "MB"], rows)
    cfg = compose("pretrain_slots")
    print(
        f"A step: {cfg.pretraining.batch_size} clips of {cfg.clip_length} frames, with Adam; from "
        "cached features where the backbone is frozen."
    )


def small_encoders() -> list[str]:
    """Return the encoders that are pretrained on small frames, the default one first."""
    names = sorted(path.stem for path in (find_configs() / "encoder").glob("*.yaml"))
    names.remove("custom")  # which has no model
    found = []
    for name in names:
        encoder = compose("pretrain_slots", [f"encoder={name}"]).encoder
        if encoder.pretrained_as == name and encoder.image_size == SMALL:
            found.append(name)
    return sorted(found, key=lambda name: name != DEFAULT)


def measure(name: str, budget: float) -> Cost:
    """Measure one encoder."""
    cfg = compose("pretrain_slots", [f"encoder={name}"])
    if "pretrained" in cfg.encoder.model:
        cfg.encoder.model.pretrained = False  # speed does not depend on weights
    encoder = instantiate(cfg.encoder.model)
    clips = random_videos(encoder, cfg.pretraining.batch_size, cfg.clip_length)
    frame = {size: frame_time(encoder, size, budget) for size in BATCHES}
    cached = cached_inputs(encoder, clips) if "feature_cache" in cfg.encoder else {}
    step = seconds(training_step(encoder, cfg.pretraining, clips, cached), budget)
    return Cost(frame, step, peak_memory())


def measure_published(budget: float) -> None:
    """Print what SlotContrast costs in the size that the official code was measured in."""
    cfg = compose("pretrain_slots", ["encoder=slotcontrast_dinov2", "encoder.pretrained=false"])
    encoder: TrainableEncoder = instantiate(cfg.encoder.model)
    clips = random_videos(encoder, 2, 4)
    cached = cached_inputs(encoder, clips)
    steps = interleaved(
        {
            "whole": training_step(encoder, cfg.pretraining, clips),
            "cached": training_step(encoder, cfg.pretraining, clips, cached),
        },
        budget,
    )
    rows = [
        ["training step, CPU-s", f"{steps['whole']:.2f}", "5.1 to 5.4"],
        ["training step from cached features, CPU-s", f"{steps['cached']:.2f}", "-"],
    ]
    for size, official in ((1, "213 to 228"), (8, "179 to 189")):
        time = 1000 * frame_time(encoder, size, budget)
        rows.append([f"a frame, batch of {size}, CPU-ms", f"{time:.0f}", official])
    print_table(
        ["ViT-S/14 at 224, 2 clips of 4 frames", "here", "official code, measured elsewhere"], rows
    )


def random_videos(encoder: Encoder, batch_size: int, num_frames: int) -> Tensor:
    """Return uint8 videos (B, T, H, W, 3)."""
    return torch.randint(0, 256, (batch_size, num_frames, *encoder.image_size, 3)).byte()


def frame_time(encoder: Encoder, batch_size: int, budget: float) -> float:
    """Return CPU seconds of a frame when as many environments step together."""
    encoder.eval()
    frames = random_videos(encoder, batch_size, 1)[:, 0]
    is_first = torch.zeros(batch_size, dtype=torch.bool)
    with torch.inference_mode():
        state = encoder.initial_state(batch_size)
        return seconds(lambda: encoder.step(frames, state, is_first), budget) / batch_size


def cached_inputs(encoder: TrainableEncoder, clips: Tensor) -> dict[str, Tensor]:
    """Return what never changes with a frozen backbone, and is computed once."""
    with torch.no_grad():
        frozen = encoder.frozen_features()
        return {} if frozen is None else frozen.compute(clips)


def training_step(
    encoder: TrainableEncoder,
    settings: DictConfig,
    clips: Tensor,
    cached: Mapping[str, Tensor] | None = None,
) -> Callable[[], None]:
    """Return what a step of pretraining does, from `cached_inputs` if there are any."""
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, settings.learning_rate)

    def step() -> None:
        encoder.train()
        optimizer.zero_grad()
        losses = encoder.losses({"video": clips, **(cached or {})})
        torch.autograd.backward(encoder.total_loss(losses))
        torch.nn.utils.clip_grad_norm_(trained, settings.gradient_clip)
        optimizer.step()

    return step
