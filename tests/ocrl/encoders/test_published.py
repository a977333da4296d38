"""Every published configuration builds and trains, and is the one its checkpoint was made with.

On torch's meta device: shapes flow, nothing is computed, nothing is fetched.
"""

from __future__ import annotations

import inspect
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
SYSTEMS = ("slot_attention", "savi", "steve", "dinosaur", "videosaur", "slotcontrast")
NAMES = sorted(
    p.stem
    for s in SYSTEMS
    for p in (CONFIGS / "experiment").glob(f"{s}_*.yaml")
    if not p.stem.endswith("_like")
)


def composed(experiment: str) -> DictConfig:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        return compose("pretrain_slots", overrides=[f"experiment={experiment}"])


def model(config: DictConfig) -> dict[str, Any]:
    """Return what `ocrl.create_encoder` is given."""
    arguments = OmegaConf.to_container(config.encoder.model, resolve=True)
    assert arguments.pop("_target_") == "ocrl.create_encoder"
    return arguments


def untrained(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fetch nothing."""
    takes = inspect.signature(find_encoder(arguments["name"])).parameters
    return {**arguments, "pretrained": False} if "pretrained" in takes else arguments


@pytest.mark.parametrize("name", NAMES)
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


# What the official configurations say: data, image size, slots and their width, frames, batch,
# learning rate, warm-up, halved until, steps, clipping, validation, mirrored.
PUBLISHED = {
    "dinosaur_coco": ("coco", 224, 7, 256, 1, 64, 4e-4, 10_000, 100_000, 500_000, 1.0, 2500, True),
    "dinosaur_coco_autoregressive": (
        *("coco", 224, 7, 256, 1, 64, 4e-4, 10_000, 110_000, 500_000, 1.0, 2500, True),
    ),
    "dinosaur_movi_c": (
        *("movi_c", 224, 11, 128, 1, 64, 4e-4, 10_000, 110_000, 500_000, 1.0, 2500, False),
    ),
    "dinosaur_movi_e": (
        *("movi_e", 224, 24, 128, 1, 64, 4e-4, 10_000, 110_000, 500_000, 1.0, 2500, False),
    ),
    "savi_movi_a": ("movi_a", 64, 24, 128, 6, 64, 2e-4, 2500, None, 100_000, 0.05, 1000, False),
    "slot_attention_coco": (
        *("coco", 128, 11, 256, 1, 64, 2e-4, 2500, None, 500_000, 1.0, 2500, True),
    ),
    "slot_attention_movi_c": (
        *("movi_c", 128, 11, 256, 1, 64, 2e-4, 2500, None, 500_000, 1.0, 2500, False),
    ),
    "slot_attention_movi_e": (
        *("movi_e", 128, 24, 256, 1, 64, 2e-4, 2500, None, 500_000, 1.0, 2500, False),
    ),
    "slotcontrast_movi_c": (
        *("movi_c", 336, 11, 64, 4, 64, 4e-4, 2500, 100_000, 100_000, 0.05, 2500, True),
    ),
    "slotcontrast_movi_e": (
        *("movi_e", 336, 15, 128, 4, 64, 4e-4, 2500, 300_000, 300_000, 0.05, 2500, True),
    ),
    "slotcontrast_ytvis": (
        *("ytvis_2021", 518, 7, 64, 4, 64, 8e-4, 2500, 100_000, 100_000, 0.05, 2500, False),
    ),
    "steve_movi_e": (
        *("movi_e", 128, 15, 192, 3, 24, 1e-4, 30_000, 280_000, 200_000, 0.05, 1000, False),
    ),
    "videosaur_movi_c": (
        *("movi_c", 224, 11, 128, 4, 128, 4e-4, 2500, 100_000, 100_000, 0.05, 1000, True),
    ),
    "videosaur_movi_e": (
        *("movi_e", 224, 15, 128, 4, 128, 4e-4, 2500, 100_000, 100_000, 0.05, 1000, True),
    ),
    "videosaur_ytvis": (
        *("ytvis_2021", 224, 7, 64, 4, 128, 4e-4, 2500, 100_000, 100_000, 0.05, 1000, True),
    ),
    "videosaur_ytvis_dinov2": (
        *("ytvis_2021", 518, 7, 64, 4, 64, 2e-4, 2500, 100_000, 100_000, 0.05, 1000, True),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_published_experiment_trains_on_its_data_for_its_time(name):
    config = composed(name)
    assert config.data._target_ == "ocrl_studies.sources.Published"
    training = config.pretraining
    assert PUBLISHED[name] == (
        config.data.name,
        config.encoder.image_size[0],
        config.encoder.num_slots,
        config.encoder.slot_dim,
        config.clip_length,
        training.batch_size,
        training.learning_rate,
        training.warmup_steps,
        training.decay_steps,
        training.max_steps,
        training.gradient_clip,
        training.steps_per_epoch,
        config.data.flip,
    )
    # all that there is to score, but for VideoSAUR's chunks
    assert config.scoring.num_clips == (224 if name.startswith("videosaur_ytvis") else None)


@pytest.mark.parametrize("name", NAMES)
def test_data_that_is_not_there_is_one_line_with_what_to_do(name, tmp_path):
    config = composed(name)
    config.data_dir = str(tmp_path)
    with pytest.raises(UsageError) as caught:
        instantiate(config.data).training_videos()
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / config.data.name) in message
    if config.data.name.startswith("movi"):
        assert f"scripts/convert_data.py name={config.data.name}" in message
