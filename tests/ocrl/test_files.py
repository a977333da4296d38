from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ocrl.files import whole_file, write_tensors, write_text


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
