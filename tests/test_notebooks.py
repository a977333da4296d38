"""The notebooks run from top to bottom, in tiny form."""

import os
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.ipynb"))
AS_WRITTEN = 'STEPS = {"rollouts": 4_000, "encoder": 400, "agent": 50_000}'
TINY = 'STEPS = {"rollouts": 400, "encoder": 2, "agent": 2_048}'


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells if AS_WRITTEN in cell.source]
    assert len(sources) == 1
    for cell in notebook.cells:
        cell.source = cell.source.replace(AS_WRITTEN, TINY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.delenv("MINARI_DATASETS_PATH", raising=False)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    printed = [o.text for cell in notebook.cells for o in cell.get("outputs", []) if "text" in o]
    assert any("steps upright" in text for text in printed)
