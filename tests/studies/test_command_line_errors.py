"""What ends a command early is one line that says how to go on; a bug keeps its traceback."""

import errno
import traceback

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from tqdm import tqdm

import ocrl.errors
import ocrl_envs.errors
from ocrl_studies import command_line


def test_a_full_disk_is_one_line(run):
    def main(cfg):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/last.ckpt")

    _, code, err = run(main=main)
    assert code == command_line.EXIT_USAGE
    assert err == (
        "error: runs/last.ckpt: No space left on device: free some: the same command with "
        "resume=true continues\n"
    )


@pytest.mark.parametrize("error", [ocrl_envs.errors.UsageError, ocrl.errors.UsageError])
def test_usage_errors_show_no_traceback(run, error):
    def main(cfg):
        raise error("what was wrong")

    assert run(main=main)[1:] == (command_line.EXIT_USAGE, "error: what was wrong\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pretrain_slots", "interrupted: the same command with resume=true continues\n"),
        ("compare_encoders", "interrupted: the same command continues\n"),
        ("collect_rollouts", "interrupted\n"),  # it leaves nothing to continue
    ],
)
def test_interrupt_says_how_to_continue(run, name, expected):
    def main(cfg):
        raise KeyboardInterrupt

    tiny = ["data.num_envs=1", "data.num_steps.train=30", "data.num_steps.validation=30"]
    _, code, err = run(*tiny, main=main, name=name)
    assert code == command_line.EXIT_INTERRUPTED
    assert err.endswith(expected)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ocrl.errors.UsageError("wrong")])
def test_no_line_stands_behind_a_bar(run, error):
    def main(cfg):
        bars.append(tqdm(total=9, desc="working"))
        raise error

    bars = []
    line = run(main=main)[2].splitlines()[-1]
    assert line.startswith(("interrupted", "error: wrong"))


def test_bugs_keep_their_traceback(run):
    def main(cfg):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main=main)


OWN_CODE = """
from ocrl.errors import UsageError

def make(size):
    return inner(size)

def inner(size):
    if size == 1:
        raise UsageError("size=1: take 2")
    return [][size]
"""


def test_a_bug_in_code_of_ones_own_shows_its_traceback(run, tmp_path, monkeypatch):
    """But a setting that it does not take, or an error that it means to be read, is a line."""
    (tmp_path / "own_part.py").write_text(OWN_CODE)
    monkeypatch.syspath_prepend(tmp_path)

    def main(**settings):
        return lambda cfg: instantiate({"_target_": "own_part.make", **settings})

    for settings, line in (({"size": 1}, "take 2"), ({"colour": 3}, "unexpected keyword")):
        _, code, said = run(main=main(**settings))
        assert code == 2
        assert line in said
        assert len(said.splitlines()) == 1
    with pytest.raises(InstantiationException, match="list index out of range") as error:
        run(main=main(size=3))
    assert "inner" in [
        entry.name for entry in traceback.extract_tb(error.value.__cause__.__traceback__)
    ]
