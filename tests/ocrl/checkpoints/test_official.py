"""Released checkpoints: files made in their exact format load; any others are refused unrun."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import goldens
import huggingface_hub
import pytest
import torch
from torch import Tensor

import ocrl
from ocrl import UsageError
from ocrl.checkpoints import sha256
from ocrl.checkpoints.official import identify, load_released, read_weights
from ocrl.checkpoints.releases import RELEASES, Release
from ocrl.hub_files import HubFile, Pin

OFFICIAL = {
    "slotcontrast-movi-c": ("keys_slotcontrast_movi_c.txt", ""),
    "videosaur-movi-c": ("keys_videosaur.txt", "videosaur/movi_c"),
    "videosaur-ytvis": ("keys_videosaur.txt", "videosaur/ytvis.yml"),
    "videosaur-ytvis-dinov2": ("keys_videosaur.txt", "videosaur/ytvis_dinov2"),
    "dinosaur-coco": ("keys_videosaur.txt", "dinosaur/coco"),
}
VIDEO_PARTS = ("encoder", "processor", "decoder")


def official_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every parameter of an official model."""
    file, title = OFFICIAL[name]
    lines = iter((goldens.FOLDER / file).read_text().splitlines())
    if title:
        next(line for line in lines if line.startswith(f"##### {title}"))
    shapes = {}
    for line in lines:
        if line.startswith("#####"):
            break
        key, shape = re.fullmatch(r"(\S+) \(([\d, ]*)\) float32", line.strip()).groups()
        shapes[key] = tuple(int(size) for size in shape.split(",") if size.strip())
    return shapes


def official_names(encoder: ocrl.Encoder, image_model: bool) -> dict[str, Tensor]:
    """Name an encoder's weights as the official code does."""
    weights = {}
    for key, value in encoder.state_dict().items():
        if key.endswith("eval_noise"):
            continue
        old = key.removeprefix("recurrence.")
        for ours, theirs in {
            "backbone.model.": "encoder.backbone.model.",
            "projection.": "encoder.output_transform.",
            "corrector.": "processor.corrector.",
            "predictor.": "processor.predictor.",
        }.items():
            if old.startswith(ours):
                old = theirs + old.removeprefix(ours)
        part, _, rest = old.partition(".")
        module = "module." if part in VIDEO_PARTS and not image_model else ""
        weights[f"{part}.{module}{rest}"] = value
    return weights


SIZES = {
    "slotcontrast-movi-c": (28, 3),
    "videosaur-movi-c": (16, 3),
    "videosaur-movi-e": (16, 5),
    "dinosaur-coco": (28, 3),
}


def small(name: str) -> Release:
    """Return a release as it is, but for its sizes."""
    side, num_slots = SIZES[name]
    changes = {
        "image_size": (side, side),
        "num_slots": num_slots,
        "slot_dim": 8,
        "backbone_options": {"depth": 1},
    }
    release = RELEASES[name]
    return Release("owner/repository", f"{name}.ckpt", release.encoder, release.arguments | changes)


def create(release: Release) -> ocrl.Encoder:
    return ocrl.create_encoder(release.encoder, **release.arguments, pretrained=False)


SMALL = {name: small(name) for name in SIZES}


@pytest.fixture
def small_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the releases be small ones, so that files of theirs are quickly made."""
    for name in list(RELEASES):
        monkeypatch.delitem(RELEASES, name)
    for name, release in SMALL.items():
        monkeypatch.setitem(RELEASES, name, release)


@pytest.fixture
def make(small_releases: None, tmp_path: Path) -> Callable[..., tuple[ocrl.Encoder, Path]]:
    """Return a function that writes a checkpoint as Lightning 1.9 did for the official code."""

    def write(name: str, **changes: Tensor | None) -> tuple[ocrl.Encoder, Path]:
        torch.manual_seed(0)
        encoder = create(SMALL[name]).eval()
        weights = official_names(encoder, image_model=name.startswith("dinosaur")) | changes
        path = tmp_path / f"{name}.ckpt"
        content = {
            "epoch": 3,
            "global_step": 100_000,
            "pytorch-lightning_version": "1.9.5",
            "state_dict": {key: value for key, value in weights.items() if value is not None},
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {"ModelCheckpoint": {"dirpath": pathlib.PosixPath("/logs/checkpoints")}},
            "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": []}],
            "lr_schedulers": [],
        }
        torch.save(content, path)
        return encoder, path

    return write


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", OFFICIAL)
def test_parameters_are_the_official_ones(name):
    shapes = official_shapes(name)
    with torch.device("meta"):
        encoder = create(RELEASES[name])
    ours = official_names(encoder, image_model=name.startswith("dinosaur"))
    assert len(shapes) > 200
    assert {key: tuple(value.shape) for key, value in ours.items()} == shapes


@pytest.mark.parametrize("name", ["slotcontrast-movi-c", "videosaur-movi-e", "dinosaur-coco"])
def test_a_file_in_the_official_format_gives_its_encoder(make, name):
    encoder, path = make(name)
    loaded = load_released(name, path)
    frames = torch.randint(0, 256, (1, 2, *encoder.image_size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(loaded.encode_video(frames).tokens, encoder.encode_video(frames).tokens)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_a_file_is_recognised_by_its_parameters(make):
    _, path = make("slotcontrast-movi-c")
    assert identify(path) == "slotcontrast-movi-c"
    assert type(ocrl.load_encoder(path)).__name__ == "SlotContrast"


def test_files_that_look_alike_must_be_named(make):
    _, path = make("videosaur-movi-c")
    assert "fits videosaur-movi-c and videosaur-movi-e" in refusal(lambda: ocrl.load_encoder(path))
    assert load_released("videosaur-movi-e", path).num_tokens == 5


def test_parameters_must_match(make):
    name, key = "slotcontrast-movi-c", "processor.module.corrector.to_q.weight"
    ours = "recurrence.corrector.to_q.weight"
    _, path = make(name, **{key: None})
    assert f"{ours} is missing" in refusal(lambda: load_released(name, path))
    _, path = make(name, **{key: torch.zeros(8, 9)})
    assert f"{ours} is (8, 9), expected (8, 8)" in refusal(lambda: load_released(name, path))
    _, path = make(name, surprise=torch.zeros(1))
    assert "surprise is left over" in refusal(lambda: load_released(name, path))
    assert "fits none of" in refusal(lambda: ocrl.load_encoder(path))


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return pathlib.Path.touch, (self.victim,)


def test_a_malicious_file_is_refused_before_it_runs(tmp_path):
    victim, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    torch.save({"state_dict": {}, "callbacks": Malicious(victim)}, path)
    assert "nothing to run" in refusal(lambda: ocrl.load_encoder(path))
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists()  # the file does what it is tested for


@pytest.mark.parametrize("content", [{"weights": {}}, [1, 2], {"state_dict": {"x": "text"}}])
def test_a_file_without_a_state_dict_is_refused(tmp_path, content):
    path = tmp_path / "other.ckpt"
    torch.save(content, path)
    assert "no state_dict of tensors" in refusal(lambda: read_weights(path))


def test_broken_and_missing_files_are_refused(make, tmp_path):
    _, path = make("slotcontrast-movi-c")
    path.write_bytes(path.read_bytes()[:1000])
    assert "whole .ckpt" in refusal(lambda: ocrl.load_encoder(path))
    path.write_bytes(b"")
    assert "whole .ckpt" in refusal(lambda: ocrl.load_encoder(path))
    assert "no such file" in refusal(lambda: ocrl.load_encoder(tmp_path / "none.ckpt"))


def test_an_unknown_name_is_refused():
    message = refusal(lambda: load_released("slotcontrast-movi-d"))
    assert "did you mean slotcontrast-movi-" in message
    assert "choose one of" in refusal(lambda: load_released("zzz"))


def test_names_are_fetched_from_the_hub(make, monkeypatch):
    _, path = make("dinosaur-coco")
    asked = []

    def fetch(repository: str, filename: str) -> HubFile:
        asked.append((repository, filename))
        return HubFile(path, filename, Pin("0" * 40, sha256(path)))

    monkeypatch.setattr("ocrl.checkpoints.official.fetch_published", fetch)
    assert ocrl.load_encoder("dinosaur-coco").num_tokens == 3
    assert asked == [("owner/repository", "dinosaur-coco.ckpt")]


def test_a_hub_out_of_reach_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path))

    def download(*_: str, revision: str | None) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    message = refusal(lambda: ocrl.load_encoder("slotcontrast-movi-c"))
    assert "huggingface.co/annamanasyan/slotcontrast" in message
