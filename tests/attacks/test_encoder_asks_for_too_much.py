"""A small file whose header asks for a machine's whole memory is refused before it is had."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

import forged
import pytest

import ocrl
from ocrl import UsageError

CASES: list[tuple[str, dict[str, Any]]] = [
    ("grid", {"block_size": 10**6}),
    ("grid", {"image_size": [100_000, 100_000]}),
    ("cnn", {"image_size": [100_000, 100_000]}),
    ("slot_attention", {"num_slots": 10**9}),
    ("slot_attention", {"slot_dim": 10**6}),
    ("slotcontrast", {"num_slots": -1}),
    ("slotcontrast_vit", {"backbone_options": {"depth": 10**6}}),
    ("slotcontrast_vit", {"backbone_options": {"embed_dim": 10**9}}),
    ("monet", {"num_slots": 10**9}),
    ("grid", {"image_size": [2**16, 2**16]}),
    ("slotcontrast", {"image_size": [2**16, 2**16]}),
    ("monet", {"num_slots": 2**16}),
    ("mae", {"depth": 10**6}),
    ("vector", {"token_dim": float("inf")}),
    ("vae", {"token_dim": "1000"}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_it_is_refused_at_once(tmp_path: Path, name: str, arguments: dict[str, Any]) -> None:
    path = tmp_path / "encoder.safetensors"
    ocrl.save_encoder(path, ocrl.create_encoder("cnn", image_size=(32, 32)))
    config = {"_target_": "ocrl.create_encoder", "name": name, **arguments}
    forged.forge(path, lambda texts, _: texts.update(config=json.dumps(config)))
    peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(UsageError) as caught:
        ocrl.load_encoder(path)
    assert "\n" not in str(caught.value)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 200_000  # kB


@pytest.mark.parametrize("key", ["name", "_target_", "x" * 100_000])
def test_lines_are_no_longer_than_a_screen(tmp_path: Path, key: str) -> None:
    path = tmp_path / "encoder.safetensors"
    ocrl.save_encoder(path, ocrl.create_encoder("grid"))
    config = {"_target_": "ocrl.create_encoder", "name": "grid", key: "x" * 100_000}
    forged.forge(path, lambda texts, _: texts.update(config=json.dumps(config)))
    with pytest.raises(UsageError) as caught:
        ocrl.load_encoder(path)
    assert len(str(caught.value)) < 1000


def test_layers_are_counted_as_they_are_made(tmp_path: Path) -> None:
    """Also where the weights in the file are those of the class, but for the number of layers."""
    path = tmp_path / "encoder.safetensors"
    encoder = ocrl.create_encoder("slotcontrast_vit", image_size=(28, 28), pretrained=False)
    ocrl.save_encoder(path, encoder)
    config = {**encoder.config, "backbone_options": {"depth": 2**16}}
    forged.forge(path, lambda texts, _: texts.update(config=json.dumps(config)))
    start = time.process_time()
    with pytest.raises(UsageError, match="more than it has weights for"):
        ocrl.load_encoder(path)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(("name", "count"), [("air", "num_steps"), ("monet", "num_slots")])
def test_what_costs_time_and_no_weights_is_bounded(tmp_path: Path, name: str, count: str) -> None:
    path = tmp_path / "encoder.safetensors"
    encoder = ocrl.create_encoder(name, image_size=(64, 64))
    ocrl.save_encoder(path, encoder)
    config = {**encoder.config, count: 2**16}
    forged.forge(path, lambda texts, _: texts.update(config=json.dumps(config)))
    with pytest.raises(UsageError, match="asks for 65536, the largest number is 1024"):
        ocrl.load_encoder(path)
