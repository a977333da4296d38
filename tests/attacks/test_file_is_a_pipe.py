"""A pipe, a device or a folder in place of a file is refused; reading one would never end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ocrl
from ocrl import UsageError
from ocrl.checkpoints.official import read_weights
from ocrl.data.recordings import load_recordings
from ocrl_agents.checkpoints import read_agent

READERS: list[tuple[Callable[[Path], Any], str]] = [
    (ocrl.load_encoder, "a.safetensors"),
    (ocrl.load_encoder, "a.ckpt"),
    (read_weights, "a.ckpt"),
    (read_agent, "a.safetensors"),
    (lambda path: load_recordings(path.parent), "a.npz"),
]


@pytest.mark.parametrize(("read", "name"), READERS)
def test_a_pipe_is_refused(tmp_path: Path, read: Callable[[Path], Any], name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(UsageError, match="no regular file"):
        read(path)


def test_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="no regular file"):
        ocrl.load_encoder("/dev/zero")
