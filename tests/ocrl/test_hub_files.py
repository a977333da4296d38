"""Files of the hub stay what they were when they were first fetched, whatever the hub does then."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch

import ocrl
from ocrl import hub_files
from ocrl.checkpoints import read_checkpoint
from ocrl.errors import UsageError
from ocrl.hub_files import Pin, download, fetch_published

REPOSITORY, NAME = "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "model.safetensors"


class Hub:
    """A folder that stands for the hub, laid out as its downloads are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.newest = folder, list[str | None](), ""

    def publish(self, content: bytes) -> Pin:
        self.newest = hashlib.sha1(content).hexdigest()
        self.path(self.newest).parent.mkdir(parents=True)
        self.path(self.newest).write_bytes(content)
        return Pin(self.newest, hashlib.sha256(content).hexdigest())

    def path(self, revision: str) -> Path:
        return self.folder / "snapshots" / revision / NAME

    def hf_hub_download(self, repository: str, name: str, revision: str | None = None) -> str:
        self.asked.append(revision)
        path = self.path(revision or self.newest)
        if (repository, name) != (REPOSITORY, NAME) or not path.exists():
            raise huggingface_hub.errors.LocalEntryNotFoundError("none")
        return str(path)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.hf_hub_download)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HOME", str(tmp_path / "home"))
    return hub


def test_what_came_first_comes_ever_after(hub: Hub, tmp_path: Path) -> None:
    first = hub.publish(b"first")
    assert fetch_published(REPOSITORY, NAME).pin == first
    notes = json.loads((tmp_path / "home/ocrl_pins.json").read_text())
    assert notes == {f"{REPOSITORY}/{NAME}": first._asdict()}
    hub.publish(b"second")
    again = fetch_published(REPOSITORY, NAME)
    assert (again.pin, again.path.read_bytes()) == (first, b"first")
    assert hub.asked == [None, first.revision]
    assert download(REPOSITORY, NAME).path.read_bytes() == b"second"


def test_another_content_under_the_same_commit_is_refused(hub: Hub) -> None:
    first = hub.publish(b"first")
    fetch_published(REPOSITORY, NAME)
    hub.path(first.revision).write_bytes(b"other")
    with pytest.raises(UsageError, match=rf"is not the file that is meant .*{first.sha256}"):
        fetch_published(REPOSITORY, NAME)


def test_pins_of_the_package_hold_from_the_first_time(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hub.publish(b"first")
    hub.publish(b"second")
    monkeypatch.setattr(hub_files, "PINS", {f"{REPOSITORY}/{NAME}": first})
    assert fetch_published(REPOSITORY, NAME).path.read_bytes() == b"first"
    wrong = first._replace(sha256="0" * 64)
    monkeypatch.setattr(hub_files, "PINS", {f"{REPOSITORY}/{NAME}": wrong})
    with pytest.raises(UsageError, match="SHA-256"):
        fetch_published(REPOSITORY, NAME)


@pytest.mark.parametrize("text", ["{", "[]", '{"NAME": 3}', '{"NAME": {"revision": "main"}}'])
def test_notes_that_are_none_are_one_line(hub: Hub, tmp_path: Path, text: str) -> None:
    hub.publish(b"first")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/ocrl_pins.json").write_text(text.replace("NAME", f"{REPOSITORY}/{NAME}"))
    with pytest.raises(UsageError, match="ocrl_pins"):
        fetch_published(REPOSITORY, NAME)


def test_a_hub_out_of_reach_leaves_no_notes(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"could not be fetched from huggingface\.co/timm"):
        fetch_published(REPOSITORY, NAME)
    assert not (tmp_path / "home").exists()


def test_a_pretrained_encoder_says_what_it_was_made_from(hub: Hub, tmp_path: Path) -> None:
    torch.manual_seed(0)
    vit = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=0)
    pin = hub.publish(safetensors.torch.save(vit.state_dict()))
    encoder = ocrl.create_encoder(
        "dinosaur",
        backbone="vit_tiny_patch16_224",
        image_size=(224, 224),
        backbone_options={"depth": 1},
    )
    assert torch.equal(
        encoder.get_parameter("backbone.model.blocks.0.attn.qkv.weight"),
        vit.blocks[0].attn.qkv.weight,
    )
    path = tmp_path / "encoder.safetensors"
    ocrl.save_encoder(path, encoder, metadata={"seed": 3})
    metadata = read_checkpoint(path).metadata
    assert metadata == {"seed": 3, "hub": {f"{REPOSITORY}/{NAME}": pin._asdict()}}
    asked = len(hub.asked)
    ocrl.load_encoder(path)
    assert len(hub.asked) == asked


def test_the_table_has_commits_and_hashes() -> None:
    for name, pin in hub_files.PINS.items():
        repository, _, filename = name.rpartition("/")
        published = timm.models.get_pretrained_cfg(repository.partition("/")[2])
        assert published is not None
        assert published.hf_hub_id == repository
        assert filename == NAME
        assert (len(bytes.fromhex(pin.revision)), len(bytes.fromhex(pin.sha256))) == (20, 32)
