"""Scripts as a user runs them, in a working directory of their own."""

from __future__ import annotations

import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

SCRIPTS = Path(__file__).parents[2] / "scripts"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory that the tests of a file share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run a script with arguments; return (exit code, stdout, stderr)."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "minari"))

    def call(name: str, *arguments: str) -> tuple[int, str, str]:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", [f"scripts/{name}", *arguments])
        code = 0
        try:
            runpy.run_path(str(SCRIPTS / name), run_name="__main__")
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capfd.readouterr()

    with warnings.catch_warnings():
        yield call
