"""A header whose backbone asks timm to read a pickle: timm would run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forged
import pytest
import torch

import ocrl
from ocrl import UsageError


@pytest.mark.parametrize("key", ["checkpoint_path", "pretrained_cfg_overlay", "pretrained_cfg"])
def test_it_is_refused(tmp_path: Path, key: str) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state_dict": Runs()}, tmp_path / "weights.pth")
    weights = str(tmp_path / "weights.pth")
    value: Any = weights if key == "checkpoint_path" else {"file": weights}
    path = tmp_path / "encoder.safetensors"
    encoder = ocrl.create_encoder(
        "dinosaur", backbone="vit_tiny_patch16_224", image_size=(32, 32), pretrained=False
    )
    ocrl.save_encoder(path, encoder)
    config = {**encoder.config, "backbone_options": {key: value}}
    forged.forge(path, lambda texts, _: texts.update(config=json.dumps(config)))
    with pytest.raises(UsageError, match=f"takes no {key}"):
        ocrl.load_encoder(path)
    assert not (tmp_path / "ran").exists()
