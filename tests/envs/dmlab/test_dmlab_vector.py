from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings

import gymnasium
import numpy as np
import pytest
from fake_deepmind_lab import RING_ROWS
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from ocrl_envs.dmlab import make_vector_env
from ocrl_envs.errors import UsageError

# Of this level there is no recording: its frames are another invention for every engine seed.
LEVEL = "collect_good_objects"
SHORT = {"episodeLengthSeconds": 0.2}  # 12 frames: 3 decisions of 4


@pytest.fixture
def vector_env(fake_lab):
    envs = make_vector_env(2, level=LEVEL, settings=SHORT, observations=("rgb", "instruction"))
    yield envs
    envs.close()


def test_episodes_in_subprocesses(vector_env):
    assert isinstance(vector_env, AsyncVectorEnv)
    assert vector_env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, _ = vector_env.reset(seed=0)
    assert observations["rgb"].shape == (2, 64, 64, 3)
    assert observations["instruction"] == ("", "")
    for _ in range(2):
        for step in range(3):
            previous = observations["rgb"]
            observations, rewards, terminated, truncated, infos = vector_env.step(np.array([2, 0]))
            assert truncated.tolist() == [step == 2] * 2
            assert not terminated.any()
            assert rewards.tolist() == [step == 2] * 2
        for final, last, first in zip(
            infos["final_obs"], previous, observations["rgb"], strict=True
        ):
            np.testing.assert_array_equal(final["rgb"], last)
            assert (first != last).any()
        assert infos["final_info"]["apples"].tolist() == [1, 1]
        assert infos["final_info"]["success"].tolist() == [False, False]


def test_no_two_workers_of_neighbouring_runs_share_an_episode(vector_env):
    def first_frames(seed):
        return [frame.tobytes() for frame in without_ring(seed)]

    def without_ring(seed):
        return vector_env.reset(seed=seed)[0]["rgb"][:, :-RING_ROWS]

    frames = [frame for seed in (0, 1, 2, None, None) for frame in first_frames(seed)]
    assert len(set(frames)) == 10
    assert first_frames(0) == first_frames(np.int64(0)) == frames[:2]
    np.testing.assert_array_equal(without_ring([5, 5])[0], without_ring([6, 5])[1])


def test_fresh_processes_agree_bit_for_bit(deepmind_lab):
    def frames():
        envs = make_vector_env(1, level="nav_maze_1", settings={"episodeLengthSeconds": 2})
        seen = [envs.reset(seed=3)[0]]
        seen += [envs.step(np.array([action]))[0] for action in (2, 6, 2, 1)]
        envs.close()
        return np.concatenate(seen)

    np.testing.assert_array_equal(frames(), frames())


SCRIPT = """
import os, sys
from pathlib import Path
import torch  # a stand-in, as empty as it is quick
from ocrl_envs.dmlab import make_vector_env

class LevelCacheThatLooksAround:
    def fetch(self, key, pk3_path):
        assert "deepmind_lab" in sys.modules
        seen = ("torch" in sys.modules, "stable_baselines3" in sys.modules)
        Path(f"{os.getpid()}.txt").write_text(repr(seen))
        return False

    def write(self, key, pk3_path):
        pass

if __name__ == "__main__":
    envs = make_vector_env(
        2, level="explore_goal_locations_small", level_cache=LevelCacheThatLooksAround()
    )
    envs.reset(seed=0)
    envs.close()
    print("torch" in sys.modules, "deepmind_lab" in sys.modules)
"""


def test_workers_import_neither_torch_nor_the_script(fake_lab, tmp_path):
    (tmp_path / "torch.py").touch()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": ":".join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["True", "False"]
    assert [seen.read_text() for seen in tmp_path.glob("*.txt")] == ["(False, False)"] * 2


INTERRUPTED = """
import os, signal, time
from ocrl_envs.dmlab import make_vector_env

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell

class LevelCacheThatTakesItsTime:
    def fetch(self, key, pk3_path):
        open(f"{os.getpid()}.compiling", "w").close()
        time.sleep(60)

if __name__ == "__main__":
    envs = make_vector_env(
        2, level="explore_goal_locations_small", level_cache=LevelCacheThatTakesItsTime()
    )
    try:
        envs.reset(seed=0)
    except KeyboardInterrupt:
        raise SystemExit(130)
"""


def test_an_interrupt_in_the_first_reset_is_quiet(fake_lab, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={"PYTHONPATH": ":".join(sys.path)},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        start_new_session=True,  # as a terminal has: Ctrl-C goes to all of them
        text=True,
    )
    while len(list(tmp_path.glob("*.compiling"))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)  # until both are at what takes its time
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == ""


def test_a_worker_whose_engine_ends_its_process_is_one_line(fake_lab):
    envs = make_vector_env(2, level=LEVEL, settings={"fps": "many"})
    with pytest.raises(UsageError, match=r"ended the process of a worker .*settings") as error:
        envs.reset(seed=0)
    assert "\n" not in str(error.value)


def test_what_a_worker_objects_to_arrives_here(fake_lab):
    envs = make_vector_env(1, level="nav_maze_4")
    with warnings.catch_warnings(record=True) as logged, pytest.raises(UsageError) as error:
        envs.reset(seed=0)
    assert "Level not found" in str(error.value)
    assert "\n" not in str(error.value)
    assert not logged


def test_other_errors_of_a_worker_arrive_with_their_traceback(fake_lab):
    envs = make_vector_env(1, level=LEVEL)
    with warnings.catch_warnings(record=True) as logged, pytest.raises(gymnasium.error.Error):
        envs.reset(seed=["a seed"])
    assert any("Traceback" in str(entry.message) for entry in logged)


def test_bad_arguments_need_no_subprocess(fake_lab):
    with pytest.raises(UsageError, match="num_envs=0"):
        make_vector_env(0)
    with pytest.raises(UsageError, match="image_size=63"):
        make_vector_env(2, image_size=63)


def test_without_deepmind_lab(without_deepmind_lab):
    with pytest.raises(UsageError, match="not installed"):
        make_vector_env(2)
