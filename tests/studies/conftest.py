"""A script's command line in the process of the test."""

import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from ocrl_studies import command_line


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a script's ``main`` with arguments; return (configs seen, exit code, stderr)."""

    def call(*arguments, main=None, name="pretrain_slots"):
        GlobalHydra.instance().clear()
        seen = []
        monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
        monkeypatch.setattr(sys, "argv", ["script.py", f"runs_dir={tmp_path}", *arguments])
        try:
            command_line.script(name)(main or seen.append)()
            code = 0
        except SystemExit as stop:
            code = stop.code
        return seen, code, capsys.readouterr().err

    return call
