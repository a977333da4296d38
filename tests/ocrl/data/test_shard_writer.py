"""Shards appear whole or not at all, whoever is interrupted or writes at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shard_files import Arrays, random_videos, write

from ocrl.data.shards import ShardVideos
from ocrl.errors import UsageError


class Interrupted:
    """Videos whose reader is interrupted before the n-th of them."""

    def __init__(self, videos: list[Arrays], before: int) -> None:
        self.videos, self.before, self.asked = videos, before, []

    def __getitem__(self, span: slice) -> Any:
        self.asked.append(span.start)
        yield from self.videos[span.start : self.before]
        raise KeyboardInterrupt


def test_interrupted_writing_keeps_the_old_and_goes_on(tmp_path: Path) -> None:
    videos = random_videos(70)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, Interrupted(videos, 40))
    with pytest.raises(UsageError, match="no shards"):
        ShardVideos(tmp_path, "train")
    again = Interrupted(videos, 66)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, again)
    assert again.asked == [32]
    paths = write(tmp_path, videos)
    whole = [path.read_bytes() for path in write(tmp_path / "whole", videos)]
    assert [path.read_bytes() for path in paths] == whole
    with pytest.raises(UsageError, match="overwrite=true"):
        write(tmp_path, random_videos(2))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, Interrupted(videos, 1), overwrite=True)
    assert len(ShardVideos(tmp_path, "train").lengths) == 70
    write(tmp_path, random_videos(2), overwrite=True)
    assert len(list(tmp_path.glob("*.tar"))) == 1


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    """Processes, that is: the one that came first goes on."""
    refused = []

    class Slow:
        def __getitem__(self, span: slice) -> Any:
            yield from random_videos(2)
            words = [sys.executable, "-c", SECOND, str(tmp_path)]
            refused.append(subprocess.run(words, capture_output=True, text=True).stderr)

    write(tmp_path, Slow())
    assert "another process is writing the train shards" in refused[0]
    assert len(ShardVideos(tmp_path, "train").lengths) == 2


SECOND = """
import sys
from ocrl.data.shard_writer import write_shards
write_shards(lambda first: [], sys.argv[1], "movi_x", "train", progress=False)
"""


def test_a_kill_after_all_is_in_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, random_videos(2), settings={"size": 8})
    monkeypatch.undo()
    paths = write(tmp_path, [], settings={"size": 8})
    assert sorted(tmp_path.iterdir()) == [*paths, tmp_path / "movi_x-train.json"]


def test_what_was_begun_with_other_settings_is_discarded(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, Interrupted(random_videos(70), 40), settings={"size": 8})
    other = Interrupted(random_videos(70), 40)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, other, settings={"size": 16})
    assert other.asked == [0]


def test_shards_half_in_place_are_refused_until_the_command_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = []

    def replace(source: Path, target: Path) -> None:
        if Path(target).parent == tmp_path:
            if len(moves) == 2:
                raise KeyboardInterrupt
            moves.append(target)
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, random_videos(70))
    monkeypatch.undo()
    with pytest.raises(UsageError, match="run the same command again"):
        ShardVideos(tmp_path, "train")
    write(tmp_path, [])
    assert len(ShardVideos(tmp_path, "train").lengths) == 70


def test_the_same_command_again_checks_the_hashes(tmp_path: Path) -> None:
    videos, settings = random_videos(40), {"size": 8}
    paths = write(tmp_path, videos, settings=settings)
    assert write(tmp_path, videos, settings=settings) == paths
    content = bytearray(paths[1].read_bytes())
    content[3000] ^= 1
    paths[1].write_bytes(content)
    with pytest.raises(UsageError, match=r"000001.tar \(it is damaged\): .* overwrite=true"):
        write(tmp_path, videos, settings=settings)
    write(tmp_path, videos, settings=settings, overwrite=True)
    assert write(tmp_path, videos, settings=settings) == paths


def test_same_videos_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "a", random_videos(3))[0].read_bytes()
    assert write(tmp_path / "b", random_videos(3))[0].read_bytes() == first
