"""Checkpoints of Lightning: damage is seen, and the one before is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocrl.errors import UsageError
from ocrl.files import newest, previous
from ocrl.pretraining.checkpoint_io import WholeCheckpoints, check_whole, read_whole


def checkpoint(step: int) -> dict[str, Any]:
    return {
        "global_step": step,
        "state_dict": {"w": torch.arange(8.0) + step},
        "epoch": 0,
        "pytorch-lightning_version": "2.5",
        **{name: {} for name in ("loops", "callbacks")},
        **{name: [{}] for name in ("optimizer_states", "lr_schedulers")},
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    for step in (1, 2):
        WholeCheckpoints().save_checkpoint(checkpoint(step), path)
    return path


def step_of(path: Path) -> int:
    return int(WholeCheckpoints().load_checkpoint(path)["global_step"])


def test_the_last_and_the_one_before_are_kept(path: Path) -> None:
    assert (step_of(path), step_of(previous(path))) == (2, 1)
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["last.ckpt", "last.ckpt.sha256", "previous.ckpt"]


def test_all_damage_is_seen(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for trial in range(300):
        changed = bytearray(whole)
        place = int(generator.integers(len(whole)))
        if trial % 3 == 0:
            changed = changed[:place]
        elif trial % 3 == 1:
            changed[place] ^= 1 << int(generator.integers(8))
        else:
            changed[place : place + 64] = bytes(len(changed[place : place + 64]))
        path.write_bytes(changed)
        if bytes(changed) != whole:
            assert newest(path, read_whole) == previous(path)
    assert "SHA-256" in capsys.readouterr().err


def test_a_checkpoint_without_its_hash_is_taken_and_said_to_be_unchecked(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert newest(path, check_whole) == path
    assert capsys.readouterr().err == ""
    path.with_name("last.ckpt.sha256").unlink()
    assert newest(path, check_whole) == path
    (line,) = capsys.readouterr().err.splitlines()
    assert "last.ckpt.sha256 is not there" in line


@pytest.mark.parametrize("text", ["", "\n", "0" * 63 + "\n", "g" * 64 + "  last.ckpt\n"])
def test_hashes_that_are_none_are_refused(path: Path, text: str) -> None:
    path.with_name("last.ckpt.sha256").write_text(text)
    with pytest.raises(UsageError, match="remove it to go on unchecked"):
        newest(path, check_whole)


@pytest.mark.parametrize("stop_at", range(1, 6))
def test_a_kill_at_any_moment_leaves_a_whole_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """Each write, and each move of a name, may be the last thing that a process does."""
    calls = 0

    def killed(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise SystemExit
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed(os.replace))
        patch.setattr(Path, "write_bytes", killed(Path.write_bytes))
        patch.setattr(Path, "write_text", killed(Path.write_text))
        with pytest.raises(SystemExit):
            WholeCheckpoints().save_checkpoint(checkpoint(3), path)
    found = newest(path, read_whole)
    assert found is not None
    assert step_of(found) == 2


def test_what_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_text("nothing")
    with pytest.raises(UsageError, match="it is no file of tensors alone"):
        WholeCheckpoints().load_checkpoint(path)
