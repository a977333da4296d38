from __future__ import annotations

import importlib
import importlib.util
import sys

import pytest

from ocrl_envs.dmlab import DeepMindLabEnv


@pytest.fixture
def fake_lab(monkeypatch, tmp_path):
    """The stand-in, under the name of the real module, in this process and in spawned ones."""
    (tmp_path / "deepmind_lab.py").write_text("from fake_deepmind_lab import Lab\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deepmind_lab", raising=False)
    yield importlib.import_module("deepmind_lab")
    sys.modules.pop("deepmind_lab")


@pytest.fixture(params=["fake", "real"])
def deepmind_lab(request):
    """Both modules in turn, the real one if it is installed."""
    if request.param == "fake":
        return request.getfixturevalue("fake_lab")
    if importlib.util.find_spec("deepmind_lab") is None:
        pytest.skip("deepmind_lab is not installed")
    return importlib.import_module("deepmind_lab")


@pytest.fixture
def without_deepmind_lab(monkeypatch):
    """As on a machine that does not have it."""
    monkeypatch.setitem(sys.modules, "deepmind_lab", None)


@pytest.fixture
def make_env():
    """Make environments, and close them after the test."""
    made = []

    def make(*args, **kwargs):
        made.append(DeepMindLabEnv(*args, **kwargs))
        return made[-1]

    yield make
    for env in made:
        env.close()
