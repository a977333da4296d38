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
from omegaconf import DictConfig, OmegaConf

import ocrl
from ocrl.checkpoints.releases import RELEASES
from ocrl.zoo import find_encoder
from ocrl_studies.composition import find_configs

CONFIGS = Path(ocrl.__file__).parents[1] / "configs"
SYSTEMS = ("slot_attention", "savi", "dinosaur", "videosaur", "slotcontrast")
NAMES = sorted(p.stem for s in SYSTEMS for p in (CONFIGS / "experiment").glob(f"{s}_*.yaml"))


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
