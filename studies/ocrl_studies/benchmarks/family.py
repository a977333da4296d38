"""Each classic system where its public code was measured: CPU-milliseconds a frame, of both."""

from __future__ import annotations

from typing import NamedTuple

from hydra.utils import instantiate

from ocrl_studies.benchmarks.encoders import frame_time, random_videos, training_step
from ocrl_studies.benchmarks.measuring import seconds
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table


class Setting(NamedTuple):
    """What was measured, and what the public code took.

    Attributes:
        title: says it in a table.
        overrides: of pretrain_slots.
        videos: how many at once, in training and in a step.
        frames: of each.
        training: CPU-ms a frame, forward and backward.
        step: CPU-ms a frame, of what an agent needs or, where that cannot be had apart, all of it.
    """

    title: str
    overrides: list[str]
    videos: int
    frames: int
    training: float
    step: float


STEVE = [
    "encoder=steve_published",
    "encoder.image_size=[64,64]",
    "encoder.num_slots=6",
    "encoder.model.vocabulary_size=512",
    "encoder.model.num_blocks=4",
    "encoder.model.strides=[1,1,1,1]",
]
SPACE = ["encoder=space", "+encoder.model.num_background=5", "+encoder.model.glimpse_size=32"]
SCALOR = ["encoder=scalor_station", "encoder.image_size=[64,64]", "encoder.num_slots=16"]
SPAIR = ["encoder=spair_published", "encoder.image_size=[72,72]"]
SETTINGS = (
    Setting("AIR, 50 px, the tutorial's", ["encoder=air_tutorial"], 64, 1, 3.2, 0.5),
    Setting("SQAIR, 50 px, 5 particles", ["encoder=sqair_published"], 4, 3, 17, 6),
    Setting("SPAIR, 36 cells (72 px; 64 px)", SPAIR, 4, 1, 43, 15),
    Setting("SPACE, 64 px, G=8, K=5", [*SPACE, "+encoder.model.width=1.0"], 4, 1, 210, 89),
    Setting("SPACE, the same, a quarter as wide", SPACE, 4, 1, 87, 30),
    Setting("SCALOR, 64 px, 4x4", SCALOR, 2, 3, 68, 27),
    Setting("SLATE, 64 px, K=3, V=1024, L=4", ["encoder=slate_published"], 4, 1, 91, 2.4),
    Setting("STEVE, 64 px, K=6, V=512, L=4", STEVE, 1, 3, 188, 37),
    Setting("MONet, 64 px, K=6", ["encoder=monet_published"], 4, 1, 141, 17.5),
    Setting("IODINE, 64 px, K=6, T=5", ["encoder=iodine_published"], 4, 1, 820, 377),
)


def run(budget: float) -> None:
    """Print what each costs, beside the public code.

    Args:
        budget: CPU seconds for each measurement.
    """
    rows = []
    for setting in SETTINGS:
        cfg = compose("pretrain_slots", setting.overrides)
        encoder = instantiate(cfg.encoder.model)
        clips = random_videos(encoder, setting.videos, setting.frames)
        train = training_step(encoder, cfg.pretraining, clips)
        training = 1000 * seconds(train, budget) / (setting.videos * setting.frames)
        step = 1000 * frame_time(encoder, setting.videos, budget)
        row = [f"{training:.1f}", f"{setting.training:g}", f"{training / setting.training:.2f}"]
        rows.append([setting.title, *row, f"{step:.1f}", f"{setting.step:g}"])
    print_table(
        ["CPU-ms a frame", "training", "public code", "ratio", "a step", "public code"], rows
    )
    print(
        "The public code was measured elsewhere, on a machine that others used too; of AIR, SQAIR, "
        "SPAIR, SPACE and SCALOR its figure beside a step is of a whole forward pass."
    )
