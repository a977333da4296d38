"""Every published configuration builds and trains, and is the one its checkpoint was made with.

On torch's meta device: shapes flow, nothing is computed, nothing is fetched.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import ocrl
from ocrl import UsageError
from ocrl.checkpoints.releases import RELEASES
from ocrl.zoo import find_encoder
from ocrl_studies.composition import find_configs

CONFIGS = Path(ocrl.__file__).parents[1] / "configs"
SYSTEMS = (
    *("slot_attention", "slate", "savi", "steve", "dinosaur", "videosaur", "slotcontrast"),
    *("slotcurri", "ssync"),
)
NAMES = sorted(
    p.stem
    for s in SYSTEMS
    for p in (CONFIGS / "experiment").glob(f"{s}_*.yaml")
    if not p.stem.endswith(("_like", "_sprites"))
)


# Pages whose encoder is that of another but for the number of slots.
ALIKE = {
    *(f"savi_movi_{letter}" for letter in "bcde"),
    *("dinosaur_movi_e", "slate_movi_e", "slate_voc", "slot_attention_movi_c"),
    *("slot_attention_movi_e", "slot_attention_voc", "steve_movi_c", "steve_ytvis"),
    "videosaur_movi_e",
}


@cache
def composed(experiment: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        return compose("pretrain_slots", overrides=[f"experiment={experiment}", *overrides])


def model(config: DictConfig) -> dict[str, Any]:
    """Return what `ocrl.create_encoder` is given."""
    arguments = OmegaConf.to_container(config.encoder.model, resolve=True)
    assert arguments.pop("_target_") == "ocrl.create_encoder"
    return arguments


def untrained(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fetch nothing."""
    takes = inspect.signature(find_encoder(arguments["name"])).parameters
    return {**arguments, "pretrained": False} if "pretrained" in takes else arguments


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALIKE])
def test_a_published_configuration_runs_a_step(name):
    config = composed(name)
    with torch.device("meta"):
        encoder = ocrl.create_encoder(**untrained(model(config)))
        videos = torch.zeros(2, config.clip_length, *encoder.image_size, 3, dtype=torch.uint8)
        boxes = torch.zeros(2, encoder.num_tokens, 4)
    batch = {"video": videos, "boxes": boxes, "flow": videos}
    total = encoder.total_loss(encoder.losses(batch))
    total.backward()
    trained = [p for p in encoder.parameters() if p.requires_grad]
    assert trained
    assert all(p.grad is not None for p in trained)
    assert encoder.num_tokens == config.encoder.num_slots


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_is_built_as_its_experiment(name):
    release = RELEASES[name]
    with torch.device("meta"):
        ours, theirs = (
            ocrl.create_encoder(**untrained(arguments))
            for arguments in (
                model(composed(name.replace("-", "_"))),
                {"name": release.encoder, **release.arguments},
            )
        )
    assert repr(ours) == repr(theirs)
    assert ours.loss_weights == theirs.loss_weights
    assert getattr(ours, "temperature", None) == getattr(theirs, "temperature", None)
    shapes = [{k: v.shape for k, v in e.state_dict().items()} for e in (ours, theirs)]
    assert shapes[0] == shapes[1]


# What the official configurations say. By schedule: frames, batch, learning rate, warm-up, halved
# until, steps, clipping, validation.
SCHEDULES: dict[str, tuple[Any, ...]] = {
    "dinosaur": (1, 64, 4e-4, 10_000, 110_000, 500_000, 1.0, 2500),
    "dinosaur_coco": (1, 64, 4e-4, 10_000, 100_000, 500_000, 1.0, 2500),
    "dinosaur_voc": (1, 64, 4e-4, 10_000, 110_000, 300_000, 1.0, 2500),
    "savi": (6, 64, 2e-4, 2500, None, 100_000, 0.05, 1000),
    "slate_coco": (1, 64, 3e-4, 30_000, 280_000, 250_000, 1.0, 2500),
    "slate_voc": (1, 64, 3e-4, 30_000, 280_000, 400_000, 1.0, 2500),
    "slate": (1, 64, 3e-4, 30_000, 280_000, 200_000, 1.0, 2500),
    "slot_attention": (1, 64, 2e-4, 2500, None, 500_000, 1.0, 2500),
    "slotcontrast": (4, 64, 4e-4, 2500, 100_000, 100_000, 0.05, 2500),
    "slotcontrast_movi_e": (4, 64, 4e-4, 2500, 300_000, 300_000, 0.05, 2500),
    "slotcontrast_ytvis": (4, 64, 8e-4, 2500, 100_000, 100_000, 0.05, 2500),
    "slotcurri": (4, 64, 8e-4, 2500, 100_000, 100_000, 0.05, 2500),
    "slotcurri_movi_e": (4, 64, 8e-4, 2500, 300_000, 300_000, 0.05, 2500),
    "slotcurri_ytvis": (4, 32, 8e-4, 2500, 100_000, 100_000, 0.05, 2500),
    "ssync": (4, 64, 8e-4, 2500, 100_000, 100_000, 0.05, 2500),
    "ssync_movi_e": (4, 64, 8e-4, 2500, 300_000, 300_000, 0.05, 2500),
    "steve": (3, 24, 1e-4, 30_000, 280_000, 200_000, 0.05, 1000),
    "videosaur": (4, 128, 4e-4, 2500, 100_000, 100_000, 0.05, 1000),
    "videosaur_ytvis_dinov2": (4, 64, 2e-4, 2500, 100_000, 100_000, 0.05, 1000),
}
# name: schedule; data, image size, slots and their width, cropped to train, to score, mirrored,
# between pixels
WHOLE, SQUARE = ("none", "none"), ("short_side", "short_side")
PUBLISHED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "dinosaur_coco": (
        *("dinosaur_coco", ("coco", 224, 7, 256, "random", "central", True, "bicubic")),
    ),
    "dinosaur_coco_autoregressive": ("dinosaur", ("coco", 224, 7, 256, *SQUARE, True, "bicubic")),
    "dinosaur_coco_mlp": ("dinosaur", ("coco", 224, 7, 256, *SQUARE, True, "bicubic")),
    "dinosaur_movi_c": ("dinosaur", ("movi_c", 224, 11, 128, *WHOLE, False, "bicubic")),
    "dinosaur_movi_e": ("dinosaur", ("movi_e", 224, 24, 128, *WHOLE, False, "bicubic")),
    "dinosaur_voc_autoregressive": (
        *("dinosaur_voc", ("voc", 224, 6, 256, "random", "short_side", True, "bicubic")),
    ),
    "dinosaur_voc_mlp": (
        *("dinosaur_voc", ("voc", 224, 6, 256, "random", "short_side", True, "bicubic")),
    ),
    **{
        f"savi_movi_{letter}": (
            *("savi", (f"movi_{letter}", 64, 24, 128, *WHOLE, False, "bicubic")),
        )
        for letter in "abcde"
    },
    "slate_coco": ("slate_coco", ("coco", 128, 11, 192, *SQUARE, True, "bilinear")),
    "slate_movi_c": ("slate", ("movi_c", 128, 11, 192, *WHOLE, False, "bicubic")),
    "slate_movi_e": ("slate", ("movi_e", 128, 24, 192, *WHOLE, False, "bicubic")),
    "slate_voc": ("slate_voc", ("voc", 128, 7, 192, *SQUARE, True, "bilinear")),
    **{
        f"slot_attention_{data}": (
            *("slot_attention", (data, 128, 11, 256, "random", "short_side", True, "bilinear")),
        )
        for data in ("coco", "voc")
    },
    "slot_attention_movi_c": ("slot_attention", ("movi_c", 128, 11, 256, *WHOLE, False, "bicubic")),
    "slot_attention_movi_e": ("slot_attention", ("movi_e", 128, 24, 256, *WHOLE, False, "bicubic")),
    "slotcontrast_movi_c": ("slotcontrast", ("movi_c", 336, 11, 64, *WHOLE, True, "bicubic")),
    "slotcontrast_movi_e": (
        *("slotcontrast_movi_e", ("movi_e", 336, 15, 128, *WHOLE, True, "bicubic")),
    ),
    "slotcontrast_ytvis": (
        "slotcontrast_ytvis",
        ("ytvis_2021", 518, 7, 64, "random", "central", False, "bicubic"),
    ),
    "slotcurri_movi_c": ("slotcurri", ("movi_c", 336, 11, 64, *WHOLE, True, "bicubic")),
    "slotcurri_movi_e": (*("slotcurri_movi_e", ("movi_e", 336, 15, 128, *WHOLE, True, "bicubic")),),
    "slotcurri_ytvis": (
        "slotcurri_ytvis",
        ("ytvis_2021", 518, 7, 64, "random", "central", False, "bicubic"),
    ),
    "ssync_movi_c": ("ssync", ("movi_c", 336, 11, 64, *WHOLE, True, "bicubic")),
    "ssync_movi_e": ("ssync_movi_e", ("movi_e", 336, 15, 128, *WHOLE, True, "bicubic")),
    "ssync_ytvis": (
        "ssync",
        ("ytvis_2021", 518, 7, 64, "random", "central", False, "bicubic"),
    ),
    "steve_movi_c": ("steve", ("movi_c", 128, 11, 192, *WHOLE, False, "bicubic")),
    "steve_movi_e": ("steve", ("movi_e", 128, 15, 192, *WHOLE, False, "bicubic")),
    "steve_ytvis": (
        *("steve", ("ytvis_2021", 128, 7, 192, "random", "central", False, "bicubic")),
    ),
    "videosaur_movi_c": ("videosaur", ("movi_c", 224, 11, 128, *WHOLE, True, "bicubic")),
    "videosaur_movi_e": ("videosaur", ("movi_e", 224, 15, 128, *WHOLE, True, "bicubic")),
    "videosaur_ytvis": (
        *("videosaur", ("ytvis_2021", 224, 7, 64, "random", "central", True, "bicubic")),
    ),
    "videosaur_ytvis_dinov2": (
        "videosaur_ytvis_dinov2",
        ("ytvis_2021", 518, 7, 64, "random", "central", True, "bicubic"),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_published_experiment_trains_on_its_data_for_its_time(name):
    config = composed(name)
    assert config.data._target_ == "ocrl_studies.sources.PublishedData"
    data, encoder, training = config.data, config.encoder, config.pretraining
    schedule, page = PUBLISHED[name]
    assert page == (
        data.name,
        encoder.image_size[0],
        encoder.num_slots,
        encoder.slot_dim,
        data.crop,
        data.scoring_crop,
        data.flip,
        data.interpolation,
    )
    assert SCHEDULES[schedule] == (
        config.clip_length,
        training.batch_size,
        training.learning_rate,
        training.warmup_steps,
        training.decay_steps,
        training.max_steps,
        training.gradient_clip,
        training.steps_per_epoch,
    )
    # all that there is to score, but for VideoSAUR's chunks
    assert config.scoring.num_clips == (224 if name.startswith("videosaur_ytvis") else None)
    assert config.scoring.clip_length == (
        1 if config.clip_length == 1 else 6 if name.startswith("videosaur_ytvis") else None
    )


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_not_there_is_one_line_with_what_to_do(name, tmp_path):
    config = composed(name).copy()
    config.data_dir = str(tmp_path)
    with pytest.raises(UsageError) as caught:
        instantiate(config.data).training_videos()
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / config.data.name) in message
    if config.data.name.startswith("movi"):
        assert f"scripts/convert_data.py name={config.data.name}" in message


def test_layers_are_as_wide_as_published():
    with torch.device("meta"):
        savi, slots = (
            ocrl.create_encoder(**untrained(model(composed(name))))
            for name in ("savi_movi_a", "slot_attention_coco")
        )
    assert savi.recurrence.predictor.blocks[0].linear1.out_features == 256
    assert savi.projection.layers[1].out_features == 64
    assert slots.recurrence.corrector.mlp.layers[1].out_features == 512
    assert slots.decoder.bounded


@pytest.mark.parametrize(("size", "tokens"), [("savi_medium", 64 * 64), ("savi_large", 16 * 16)])
def test_larger_savis_take_the_place_of_the_small_one(size, tokens):
    config = composed("savi_movi_c", f"encoder={size}")
    with torch.device("meta"):
        encoder = ocrl.create_encoder(**model(config))
    assert encoder.image_size == (128, 128)
    assert encoder.num_tokens == 24
    assert encoder.backbone.grid_size[0] * encoder.backbone.grid_size[1] == tokens
    assert encoder.decoder.broadcast_size == (8, 8)
