"""Run folders: nothing is overwritten unasked, and a run continues as it began."""

import os
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from ocrl.errors import UsageError
from ocrl_studies.runs import (
    CONFIG,
    check_one_process,
    claim,
    find_checkpoint,
    is_first,
    starts,
)
from ocrl_studies.runs import open_run as open_until_left


def open_run(*args, **kwargs):
    with open_until_left(*args, **kwargs) as folder:
        return folder


def config(tmp_path, **changes):
    cfg = {
        "run_dir": str(tmp_path / "run"),
        "runs_dir": "runs",
        "checkpoint": str(tmp_path / "encoder.safetensors"),
        "resume": False,
        "seed": 0,
        "env": {"name": "nav_maze_1", "simulator": "maze"},
        "encoder": {"name": "shuffled", "pretrained_as": "slotcontrast", "dim": 64},
        **changes,
    }
    return OmegaConf.create(cfg)


def test_a_new_run_saves_its_configuration(tmp_path):
    cfg = config(tmp_path)
    folder = open_run(cfg, same=("encoder",))
    assert OmegaConf.load(folder / CONFIG) == cfg


def test_a_run_is_not_overwritten(tmp_path):
    open_run(config(tmp_path), same=("encoder",))
    with pytest.raises(UsageError, match="resume=true"):
        open_run(config(tmp_path, seed=5), same=("encoder",))
    assert OmegaConf.load(tmp_path / "run" / CONFIG).seed == 0


def test_a_run_resumes_with_the_same_settings_only(tmp_path):
    open_run(config(tmp_path), same=("encoder",))
    open_run(config(tmp_path, resume=True), same=("encoder",))
    other = {"name": "shuffled", "pretrained_as": "slotcontrast", "dim": 32}
    with pytest.raises(UsageError, match=r"encoder\.dim=64, now it is 32") as error:
        open_run(config(tmp_path, resume=True, encoder=other), same=("encoder",))
    assert "\n" not in str(error.value)


def test_each_start_keeps_its_configuration(tmp_path):
    for seed in range(12):
        open_run(config(tmp_path, resume=True, seed=seed), same=("encoder",))
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


def test_a_missing_encoder_names_the_command_that_makes_it(tmp_path):
    cfg = config(tmp_path, seed=2)
    del cfg.encoder.dim
    command = r"pretrain_slots\.py env=nav_maze_1 encoder=slotcontrast seed=2  or"
    with pytest.raises(UsageError, match=command):
        find_checkpoint(cfg)
    (tmp_path / "encoder.safetensors").touch()
    assert find_checkpoint(cfg) == tmp_path / "encoder.safetensors"


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
            open_run(config(tmp_path), same=("encoder",))
        assert "\n" not in str(error.value)
        assert not starts(tmp_path / "run")
        assert leftover.exists()
        other.kill()
    with open_until_left(config(tmp_path), same=("encoder",)) as folder, claim(folder):
        assert not leftover.exists()


@pytest.mark.parametrize("rank", ["LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_of_several_processes_the_first_has_the_folder_for_all(tmp_path, monkeypatch, rank):
    cfg = config(tmp_path, pretraining={"devices": 2, "num_nodes": 1})
    with open_until_left(cfg, same=("encoder",)):
        monkeypatch.setenv(rank, "1")
        assert not is_first(cfg)
        assert open_run(cfg, same=("encoder",)) == tmp_path / "run"
    assert [path.name for path in starts(tmp_path / "run")] == [CONFIG]
    # whoever trains alone is no part of that, whatever started it
    alone = config(tmp_path, pretraining={"devices": 1, "num_nodes": 1})
    assert is_first(alone)
    with pytest.raises(UsageError, match="already holds a run"):
        open_run(alone, same=("encoder",))
    with pytest.raises(UsageError, match="pretrain with these by pretrain_slots"):
        check_one_process(cfg)
    check_one_process(alone)
