"""A disk that is full, as small as a test may mount: HDF5, which would crash, is not asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COLLECTED = """
import os, sys
from pathlib import Path
from ocrl_studies.fuzzing.interruptions import mount_new

place = Path(sys.argv[1])
try:
    mount_new(place, 400_000)
except OSError:
    sys.exit(77)
import gymnasium as gym
import numpy as np
from ocrl.data.rollouts import collect_rollouts
from ocrl.files import disk_trouble
from ocrl_studies.fuzzing.miniature_data import Frames, minari_folder

minari_folder(place)
mode = gym.vector.AutoresetMode.NEXT_STEP
envs = gym.vector.SyncVectorEnv([Frames] * 2, autoreset_mode=mode)

def collect():
    policy = lambda _: np.zeros(2, int)
    return collect_rollouts(envs, policy, "grey/frames-v0", 3000, seed=0, progress=False)

try:
    collect()
except OSError as error:
    print(disk_trouble(error))
assert not list(place.rglob("*.hdf5"))
mount_new(place, 2**24, remount=True)
assert collect().total_steps >= 3000
"""


def test_rollouts_on_a_full_disk_are_one_line_and_go_on_once_there_is_room(tmp_path: Path) -> None:
    words = [sys.executable, "-c", COLLECTED, str(tmp_path / "disk")]
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    if ran.returncode == 77:
        pytest.skip("mounts are not allowed here")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\n") == 1
    assert "No space left on device: free some" in ran.stdout
