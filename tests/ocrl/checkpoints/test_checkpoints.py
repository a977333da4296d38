"""A checkpoint gives back its encoder, or one line; it never runs anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from hydra.utils import instantiate
from torch import Tensor

import ocrl
from ocrl import Encoder, EncoderOutput, UsageError
from ocrl.checkpoints import read_checkpoint, sha256
from ocrl.encoders import GridEncoder
from ocrl.hub_files import HubFile, Pin

BACKBONE = {
    "_target_": "ocrl.modules.backbones.cnn.CNNBackbone",
    "image_size": [16, 16],
    "channels": [4],
    "kernel_sizes": [3],
    "strides": [2],
}
CONFIG: dict[str, Any] = {
    "_target_": "ocrl.encoders.grid.GridEncoder",
    "token_dim": 24,
    "target_dim": 3,
    "backbone": BACKBONE,
    "target": {
        "_target_": "ocrl.modules.targets.ColourTarget",
        "image_size": [16, 16],
        "patch_size": 2,
    },
}


class Own(Encoder):
    """An encoder that the library does not know."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_tokens, self.token_dim, self.image_size = 1, 3, (size, size)
        self.scale = torch.nn.Parameter(torch.rand(3))

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        return EncoderOutput(frames.float().mean((1, 2), keepdim=True) * self.scale, None, None)


def build(**changes: Any) -> GridEncoder:
    encoder: GridEncoder = instantiate({**CONFIG, **changes})
    return encoder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    ocrl.save_encoder(path, build(), CONFIG, {"seed": 3, "level": "nav_maze_1"})
    return path


def rewrite(path: Path, header: dict[str, Any] | None = None, **tensors: Tensor | None) -> None:
    """Save a checkpoint again with changed header entries and tensors (None takes one out)."""
    with safetensors.safe_open(path, "pt") as file:
        texts = file.metadata()
    weights = {**safetensors.torch.load_file(path), **tensors}
    weights = {key: value for key, value in weights.items() if value is not None}
    del texts["sha256"]  # who changes a file on purpose leaves no trace
    safetensors.torch.save_file(weights, path, {**texts, **(header or {})})


def refusal(path: Path, **kwargs: Any) -> str:
    with pytest.raises(UsageError) as caught:
        ocrl.load_encoder(path, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_config_and_metadata_come_back(path):
    checkpoint = read_checkpoint(path)
    assert checkpoint.config == CONFIG
    assert checkpoint.metadata == {"seed": 3, "level": "nav_maze_1"}


def test_a_loaded_encoder_is_frozen_and_equal(path):
    encoder = ocrl.load_encoder(path)
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())
    for key, value in read_checkpoint(path).weights.items():
        assert torch.equal(encoder.state_dict()[key], value)


def test_saving_leaves_no_other_file_and_survives_failure(path, monkeypatch):
    before = path.read_bytes()

    whole = Path.write_bytes

    def fail(temporary: Path, data: bytes) -> None:
        whole(temporary, data[: len(data) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        ocrl.save_encoder(path, build(), CONFIG)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_sha256_tells_files_apart(path, tmp_path):
    again = tmp_path / "again.safetensors"
    again.write_bytes(path.read_bytes())
    assert sha256(again) == sha256(path)
    rewrite(again, {"metadata": "{}"})
    assert sha256(again) != sha256(path)


@pytest.mark.parametrize("length", [0, 4, 200, -1])
def test_a_file_cut_short_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    assert "whole file" in refusal(path)


def test_a_missing_file_is_named(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.safetensors")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    assert "is no encoder" in refusal(path)
    torch.save({"x": torch.zeros(1)}, path)
    assert "whole file" in refusal(path)


def test_a_later_format_is_refused(path):
    rewrite(path, {"version": "3"})
    assert "is an encoder of format 3, this version reads format 1 and 2" in refusal(path)


def test_files_of_the_first_format_are_read(path):
    rewrite(path, {"version": "1"})
    assert isinstance(ocrl.load_encoder(path), GridEncoder)


def test_what_the_zoo_made_is_saved_and_loaded_by_its_name(tmp_path):
    path = tmp_path / "encoder.safetensors"
    encoder = ocrl.create_encoder("grid", image_size=(16, 24), block_size=1)
    ocrl.save_encoder(path, encoder)
    assert read_checkpoint(path).config == {
        "_target_": "ocrl.create_encoder",
        "name": "grid",
        "image_size": [16, 24],
        "block_size": 1,
    }
    loaded = ocrl.load_encoder(path)
    assert loaded.image_size == (16, 24)
    for key, value in encoder.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    ocrl.save_encoder(tmp_path / "again.safetensors", loaded)
    assert read_checkpoint(tmp_path / "again.safetensors").config == read_checkpoint(path).config


@pytest.mark.parametrize("name", ["os.system", "open", "", 7, None, ["grid"]])
def test_a_name_that_is_not_in_the_zoo_is_refused(path, name):
    config = {"_target_": "ocrl.create_encoder", "name": name, "command": "touch ran"}
    rewrite(path, {"config": json.dumps(config)})
    assert "there is no encoder" in refusal(path)


def test_arguments_that_the_zoo_does_not_know_are_refused(path):
    config = {"_target_": "ocrl.create_encoder", "name": "grid", "blocksize": 1}
    rewrite(path, {"config": json.dumps(config)})
    assert "did you mean block_size" in refusal(path)


def test_keys_must_match(path):
    key = "to_content.layers.0.bias"
    whole = path.read_bytes()
    rewrite(path, **{key: None})
    assert f"{key} is missing" in refusal(path)
    path.write_bytes(whole)
    rewrite(path, **{key: torch.zeros(7)})
    assert f"{key} is (7,), expected (128,)" in refusal(path)
    path.write_bytes(whole)
    rewrite(path, extra=torch.zeros(1))
    assert "extra is left over" in refusal(path)


def test_a_configuration_of_another_size_is_refused(path):
    rewrite(path, {"config": json.dumps({**CONFIG, "token_dim": 32})})
    assert "expected (16, 128)" in refusal(path)


def test_arguments_that_the_class_does_not_take_are_refused(path):
    rewrite(path, {"config": json.dumps({**CONFIG, "speed": 3})})
    assert "does not fit this version" in refusal(path)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "ocrl.checkpoints.os.system",
        "ocrl.checkpoints.load_encoder",
        "ocrl.modules.mlp.nn.Linear",
        "ocrl.checkpoints.Checkpoint",
        "ocrl.nothing.Here",
        "ocrl.",
        "ocrlevil.Encoder",
        7,
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_nothing_but_modules_of_the_library_is_built(path, tmp_path, target, inner):
    victim = tmp_path / "ran"
    node = {"_target_": target, "command": f"touch {victim}"}
    config = {**CONFIG, "backbone": [node]} if inner else node
    rewrite(path, {"config": json.dumps(config)})
    assert f"asks for {target!r}" in refusal(path)
    assert not victim.exists()


def test_a_module_that_is_no_encoder_is_refused(path):
    rewrite(path, {"config": json.dumps(BACKBONE)})
    assert "holds no encoder" in refusal(path)


def test_own_encoders_are_loaded_once_trusted(tmp_path):
    path = tmp_path / "own.safetensors"
    encoder = Own(8)
    ocrl.save_encoder(path, encoder, {"_target_": f"{__name__}.Own", "size": 8})
    assert "trusted=" in refusal(path)
    loaded = ocrl.load_encoder(path, trusted=("ocrl.", f"{__name__}."))
    assert isinstance(loaded, Own)
    assert torch.equal(loaded.scale, encoder.scale)


def test_a_pretrained_backbone_is_not_fetched_again(tmp_path, monkeypatch):
    plain = {
        **CONFIG,
        "target_dim": 192,
        "block_size": 1,
        "target": {"_target_": "ocrl.modules.targets.FeatureTarget"},
        "backbone": {
            "_target_": "ocrl.modules.backbones.vit.TimmBackbone",
            "name": "vit_tiny_patch16_224",
            "image_size": [32, 32],
            "pretrained": True,
            "model_kwargs": {"depth": 1},
        },
    }
    named = {
        "_target_": "ocrl.create_encoder",
        "name": "dinosaur",
        "backbone": "vit_tiny_patch16_224",
        "image_size": [32, 32],
        "backbone_options": {"depth": 1},
    }
    weights = tmp_path / "model.safetensors"
    vit = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=0)
    safetensors.torch.save_file(vit.state_dict(), weights)
    asked = []

    def fetch(repository: str, filename: str) -> HubFile:
        asked.append(filename)
        return HubFile(weights, f"{repository}/{filename}", Pin("0" * 40, sha256(weights)))

    monkeypatch.setattr("ocrl.modules.backbones.vit.fetch_published", fetch)
    path = tmp_path / "encoder.safetensors"
    for config in (plain, named):
        ocrl.save_encoder(path, instantiate(config), config)
        ocrl.load_encoder(path)
    assert asked == ["model.safetensors"] * 2


def test_saving_needs_the_configuration_of_the_encoder(tmp_path):
    with pytest.raises(UsageError, match="the configuration that built it"):
        ocrl.save_encoder(tmp_path / "x", build())
    config = {"_target_": "ocrl.create_encoder", "name": "vae"}
    with pytest.raises(UsageError, match="names vae, but the encoder is of grid"):
        ocrl.save_encoder(tmp_path / "x", ocrl.create_encoder("grid"), config)
    with pytest.raises(UsageError, match="the configuration that built it"):
        ocrl.save_encoder(tmp_path / "x", build(), {**CONFIG, "_target_": "ocrl.encoders.vector"})
    with pytest.raises(UsageError, match="not plain JSON"):
        ocrl.save_encoder(tmp_path / "x", build(), {**CONFIG, "seed": object()})
    assert list(tmp_path.iterdir()) == []
