"""Collections that do not come to their end."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clocks import clocks, collect, time_policy
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ocrl.data import rollouts
from ocrl.data.rollouts import collect_rollouts

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def datasets_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def test_interrupted_collection_leaves_nothing(datasets_path: Path) -> None:
    calls = 0

    def failing(observations: NDArray[Any]) -> NDArray[Any]:
        nonlocal calls
        calls += 1
        if calls > 7:
            raise KeyboardInterrupt
        return time_policy(observations)

    env = clocks(AutoresetMode.NEXT_STEP)
    with pytest.raises(KeyboardInterrupt):
        collect_rollouts(env, failing, "clock/train-v0", 100, seed=0, progress=False)
    assert list((datasets_path / "clock").iterdir()) == []
    assert collect(AutoresetMode.NEXT_STEP).total_episodes > 0


def test_a_full_disk_is_found_before_hdf5_writes(
    datasets_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def full(folder: Path, size: int) -> None:
        asked.append(size)
        if len(asked) > 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr(rollouts, "check_room", full)
        with pytest.raises(OSError, match="No space left"):
            collect(AutoresetMode.NEXT_STEP)
    assert list((datasets_path / "clock").iterdir()) == []
    assert collect(AutoresetMode.NEXT_STEP).total_episodes > 2
    written = next(datasets_path.rglob("*.hdf5")).stat().st_size
    assert written < sum(asked)


def test_what_a_killed_collection_left_goes_with_the_next(datasets_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(Path(__file__).parent)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert list((datasets_path / "clock").glob(".train-v0*/train-v0/data/*.hdf5"))
    first = collect(AutoresetMode.NEXT_STEP).total_steps
    assert first == 16
    assert [path.name for path in (datasets_path / "clock").iterdir()] == ["train-v0"]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from ocrl.data.rollouts import collect_rollouts, dataset_folder
from test_rollouts import AutoresetMode, clocks, time_policy

def policy(observations):
    if observations[0, 0, 0, 1] > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return time_policy(observations)

env = clocks(AutoresetMode.NEXT_STEP)
collect_rollouts(env, policy, "clock/train-v0", 99, seed=0, progress=False)
"""


def test_two_collections_at_once_do_not_mix() -> None:
    refused = []

    def slow(observations: NDArray[Any]) -> NDArray[Any]:
        if not refused:
            words = [sys.executable, "-c", KILLED, str(Path(__file__).parent)]
            second = subprocess.run(words, check=False, capture_output=True, text=True)
            refused.append(second.stderr)
        return time_policy(observations)

    env = clocks(AutoresetMode.NEXT_STEP)
    whole = collect_rollouts(env, slow, "clock/train-v0", 16, seed=0, progress=False)
    assert "UsageError: another process is collecting" in refused[0]
    assert whole.total_steps == 16
