"""Without an extra, what needs it says in one line which to install."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("ocrl.data.rollouts", "minari"),
        ("ocrl.data.rollout_videos", "minari"),
        ("ocrl.data.movi", "imageio"),
        ("ocrl.data.video_files", "imageio"),
    ],
)
def test_readers_name_the_extra(module, missing, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    advice = rf"^{missing} is not installed: pip install 'ocrl\[pretrain\]'$"
    with pytest.raises(ModuleNotFoundError, match=advice):
        importlib.import_module(module)
