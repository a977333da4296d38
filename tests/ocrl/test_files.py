from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ocrl.errors import UsageError
from ocrl.files import (
    check_room,
    disk_trouble,
    newest,
    previous,
    remove_leftovers,
    whole_file,
    write_text,
)
from ocrl.tensor_files import read_tensors, write_tensors


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "new folder/a.txt"
    write_text(path, "before")

    def fail_halfway() -> None:
        with whole_file(path) as part:
            part.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]
    write_text(path, "after")
    assert path.read_text() == "after"


def test_room_is_asked_for_and_given_back(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(OSError, match="o") as error:
        check_room(tmp_path, 2**60)
    assert str(tmp_path) in str(disk_trouble(error.value))
    assert list(tmp_path.iterdir()) == []


def test_the_ending_stays_for_writers_that_look_at_it(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.png") as part:
        assert part.suffix == ".png"
        part.touch()


def test_tensors_may_be_read_by_whoever_may_read_texts(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a")
    write_tensors(tmp_path / "a.safetensors", {"x": torch.arange(6.0).view(2, 3).T}, {"a": "b"})
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
    assert load_file(tmp_path / "a.safetensors")["x"].equal(torch.arange(6.0).view(2, 3).T)


def test_a_file_and_its_name_are_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (events.append("move"), replace(*names)))
    write_text(tmp_path / "a.txt", "a")
    assert events == ["sync", "move", "sync"]


def test_the_one_before_is_kept_and_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "last.txt"

    def read(version: Path) -> None:
        if "broken" in version.read_text():
            raise UsageError(f"{version} is broken")

    assert newest(path, read) is None
    for text in ("one", "two"):
        with whole_file(path, keep=previous(path)) as part:
            part.write_text(text)
    assert (path.read_text(), previous(path).read_text()) == ("two", "one")
    assert newest(path, read) == path
    assert capsys.readouterr().err == ""
    path.write_text("broken")
    assert newest(path, read) == previous(path)
    assert capsys.readouterr().err == f"{path} is broken; going on from {previous(path)}\n"
    path.unlink()
    assert newest(path, read) == previous(path)
    previous(path).write_text("broken")
    with pytest.raises(UsageError, match="is broken"):
        newest(path, read)


def test_leftovers_of_killed_processes_go(tmp_path: Path) -> None:
    (tmp_path / ".last.1.partial.ckpt").write_text("half")
    (tmp_path / "last.ckpt").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_every_damage_to_tensors_is_seen(tmp_path: Path) -> None:
    """Every fifth bit of a file is turned, one at a time: it is refused, or it says the same."""
    path = tmp_path / "a.safetensors"
    texts = {"format": "ocrl-encoder", "version": "2"}
    write_tensors(path, {"x": torch.arange(3.0), "n": torch.tensor(7)}, texts)
    whole = path.read_bytes()
    before = read_tensors(path, "encoder", ["2"])
    for place in range(0, 8 * len(whole), 5):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            after = read_tensors(path, "encoder", ["2"])
        except UsageError:
            continue
        same = all(after.tensors[name].equal(x) for name, x in before.tensors.items())
        assert same, f"bit {place}"


def test_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    texts = {"format": "ocrl-encoder", "version": "2"}
    save_file({"x": torch.tensor([0.0, torch.nan])}, path, texts)
    with pytest.raises(UsageError, match="NaN in x"):
        read_tensors(path, "encoder", ["2"])


def test_a_full_disk_is_a_line_and_a_bug_is_none() -> None:
    assert "free some" in str(disk_trouble(OSError(errno.ENOSPC, "x", "runs/a")))
    assert disk_trouble(OSError("something else")) is None
    assert disk_trouble(FileNotFoundError(errno.ENOENT, "x", "runs/a")) is None
