"""Run folders: nothing is overwritten unasked, and a run continues as it began."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ocrl.errors import UsageError
from ocrl_studies.agent_encoder import find_encoder
from ocrl_studies.composition import compose
from ocrl_studies.runs import CONFIG, Run, check_one_process, claim, starts


def open_run(cfg, same=("encoder",), grows=None):
    run = Run.of(cfg, same, grows)
    with run.open():
        return run.folder


def config(tmp_path, **changes):
    cfg = {
        "run_dir": str(tmp_path / "run"),
        "resume": False,
        "seed": 0,
        "encoder": {"name": "grid", "dim": 64},
        **changes,
    }
    return OmegaConf.create(cfg)


def test_a_new_run_saves_its_configuration(tmp_path):
    cfg = config(tmp_path)
    folder = open_run(cfg)
    assert OmegaConf.load(folder / CONFIG) == cfg


def test_a_run_is_not_overwritten(tmp_path):
    open_run(config(tmp_path))
    with pytest.raises(UsageError, match="resume=true"):
        open_run(config(tmp_path, seed=5))
    assert OmegaConf.load(tmp_path / "run" / CONFIG).seed == 0


def test_a_run_resumes_with_the_same_settings_only(tmp_path):
    open_run(config(tmp_path))
    open_run(config(tmp_path, resume=True))
    other = {"name": "grid", "dim": 32}
    with pytest.raises(UsageError, match=r"encoder\.dim=64, now it is 32") as error:
        open_run(config(tmp_path, resume=True, encoder=other))
    assert "\n" not in str(error.value)


def test_what_fails_before_its_first_checkpoint_is_not_in_the_way(tmp_path):
    def fail(error, saves=(), **changes):
        run = Run.of(config(tmp_path, **changes), ("encoder",))

        def train():
            with run.open():
                for name in saves:
                    (run.folder / name).touch()
                raise error

        with pytest.raises(error):
            train()
        return run.folder

    assert not fail(ValueError, ["events.out", ".partial"]).exists()
    assert not fail(ValueError, seed=5).exists()
    # a folder that was there keeps what it had
    kept = tmp_path / "run" / "notes.txt"
    kept.parent.mkdir()
    kept.touch()
    assert [path.name for path in sorted(fail(ValueError).iterdir())] == [".lock", "notes.txt"]
    # what was interrupted, or has a checkpoint, goes on
    assert starts(fail(KeyboardInterrupt))
    assert len(starts(fail(ValueError, resume=True))) == 2
    kept.parent.rename(tmp_path / "before")
    assert starts(fail(ValueError, ["last.ckpt"]))


def test_each_start_keeps_its_configuration(tmp_path):
    for seed in range(12):
        open_run(config(tmp_path, resume=True, seed=seed))
    kept = starts(tmp_path / "run")
    assert [OmegaConf.load(path).seed for path in kept] == list(range(12))
    assert kept[-1].name == "config.resume-11.yaml"


def test_a_run_may_grow_and_be_done_faster(tmp_path):
    def start(**pretraining):
        cfg = config(tmp_path, resume=True, pretraining={"learning_rate": 1.0, **pretraining})
        open_run(cfg, same=("pretraining",), grows="pretraining.max_steps")

    start(max_steps=10, num_workers=0)
    start(max_steps=20, num_workers=4)
    with pytest.raises(UsageError, match="it may grow, not shrink"):
        start(max_steps=15, num_workers=0)
    with pytest.raises(UsageError, match=r"pretraining\.learning_rate=1\.0, now it is 2\.0"):
        start(max_steps=20, num_workers=0, learning_rate=2.0)


def test_a_run_goes_on_with_as_many_clips_in_a_step(tmp_path):
    def start(**pretraining):
        open_run(config(tmp_path, resume=True, pretraining=pretraining), same=("pretraining",))

    start(batch_size=8, devices=1, num_nodes=1)
    start(batch_size=4, devices=2, num_nodes=1)
    start(batch_size=2, devices=2, num_nodes=2)
    for others in ({"batch_size": 8, "devices": 2}, {"batch_size": 4, "devices": 1}):
        with pytest.raises(UsageError, match=r"batch_size x devices x num_nodes=8, now it is"):
            start(num_nodes=1, **others)


def test_a_missing_encoder_names_the_command_that_makes_it(tmp_path):
    cfg = compose("train_agent", ["encoder=shuffled", "seed=2", f"runs_dir={tmp_path}"])
    command = r"pretrain_slots\.py env=nav_maze_1 encoder=slotcontrast seed=2 .*  or"
    with pytest.raises(UsageError, match=command):
        find_encoder(cfg)
    path = Path(cfg.checkpoint)
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_encoder(cfg).checkpoint == path


CLAIM = """
import sys, pathlib
from ocrl_studies.runs import claim
with claim(pathlib.Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_and_a_dead_one_makes_way(tmp_path):
    (tmp_path / "run").mkdir()
    leftover = tmp_path / "run/.last.1.partial.ckpt"
    command = [sys.executable, "-c", CLAIM, str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout.readline() == b"mine\n"
        leftover.write_text("half")
        with pytest.raises(UsageError, match="another process is writing") as error:
            open_run(config(tmp_path))
        assert "\n" not in str(error.value)
        assert not starts(tmp_path / "run")
        assert leftover.exists()
        other.kill()
    run = Run.of(config(tmp_path), ("encoder",))
    with run.open(), claim(run.folder):
        assert not leftover.exists()


@pytest.mark.parametrize("rank", ["LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_of_several_processes_the_first_has_the_folder_for_all(tmp_path, monkeypatch, rank):
    cfg = config(tmp_path, pretraining={"devices": 2, "num_nodes": 1})
    run = Run.of(cfg, ("encoder",))
    with run.open():
        monkeypatch.setenv(rank, "1")
        assert not run.is_first
        assert open_run(cfg) == tmp_path / "run"
    assert [path.name for path in starts(tmp_path / "run")] == [CONFIG]
    # whoever trains alone is no part of that, whatever started it
    alone = config(tmp_path, pretraining={"devices": 1, "num_nodes": 1})
    assert Run.of(alone, ("encoder",)).is_first
    with pytest.raises(UsageError, match="already holds a run"):
        open_run(alone)
    with pytest.raises(UsageError, match="pretrain with these by pretrain_slots"):
        check_one_process(cfg)
    check_one_process(alone)
