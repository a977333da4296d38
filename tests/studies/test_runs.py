"""Run folders: nothing is overwritten unasked, and a run continues as it began."""

import pytest
from omegaconf import OmegaConf

from ocrl.errors import UsageError
from ocrl_studies.runs import CONFIG, find_checkpoint, open_run, overrides


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
    with pytest.raises(UsageError, match="another encoder"):
        open_run(config(tmp_path, resume=True, encoder={"dim": 32}), same=("encoder",))


def test_a_missing_encoder_names_the_command_that_makes_it(tmp_path):
    cfg = config(tmp_path, seed=2)
    with pytest.raises(UsageError, match="env=nav_maze_1 encoder=slotcontrast seed=2"):
        find_checkpoint(cfg)
    assert overrides(cfg) == "env=nav_maze_1 encoder=slotcontrast seed=2"
    (tmp_path / "encoder.safetensors").touch()
    assert find_checkpoint(cfg) == tmp_path / "encoder.safetensors"
