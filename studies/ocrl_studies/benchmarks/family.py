"""Each classic system in a published size: CPU-milliseconds a frame, and ratios to public code.

Ratios are not of this run, which has no public code: they were measured once, both in turn in one
process, see docs/encoders.md.
"""

from __future__ import annotations

from typing import NamedTuple

from hydra.utils import instantiate

from ocrl_studies.benchmarks.encoders import frame_time, random_videos, training_step
from ocrl_studies.benchmarks.measuring import seconds
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table


class Setting(NamedTuple):
    """What is measured, and what it took beside the public code.

    Attributes:
        title: says it in a table.
        overrides: of pretrain_slots.
        videos: how many at once, in training and in a step.
        frames: of each.
        training: CPU time, forward and backward, as a share of the public code's. None: not
            measured side by side.
        step: the same of what an agent needs.
    """

    title: str
    overrides: list[str]
    videos: int
    frames: int
    training: float | None = None
    step: float | None = None


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
    Setting("AIR, 50 px, the tutorial's", ["encoder=air_tutorial"], 64, 1),
    Setting("SQAIR, 50 px, 5 particles", ["encoder=sqair_published"], 4, 3),
    Setting("SPAIR, 36 cells, 72 px", SPAIR, 4, 1),
    Setting("SPACE, 64 px, G=8, K=5", [*SPACE, "+encoder.model.width=1.0"], 4, 1, 0.78, 0.30),
    Setting("SPACE, the same, a quarter as wide", SPACE, 4, 1, 0.65, 0.24),
    Setting("SCALOR, 64 px, 4x4", SCALOR, 2, 3),
    Setting("SLATE, 64 px, K=3, V=1024, L=4", ["encoder=slate_published"], 4, 1, 0.82, 0.56),
    Setting("STEVE, 64 px, K=6, V=512, L=4", STEVE, 1, 3, 0.86, 0.87),
    Setting("MONet, 64 px, K=6", ["encoder=monet_published"], 4, 1, 0.97, 1.00),
    Setting("IODINE, 64 px, K=6, T=5", ["encoder=iodine_published"], 4, 1),
)


def run(budget: float) -> None:
    """Print what each costs, and what it cost beside the public code.

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
        ratios = (setting.training, setting.step)
        shares = ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        rows.append([setting.title, f"{training:.1f}", shares[0], f"{step:.1f}", shares[1]])
    print_table(["CPU-ms a frame", "training", "of public code", "a step", "of public code"], rows)
    print(
        "Ratios to public code are not of this run: they were measured side by side elsewhere, see "
        "docs/encoders.md."
    )
