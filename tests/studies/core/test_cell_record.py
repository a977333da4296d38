"""Records of cells: settings that may not change, stages that are through, places that move."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ocrl.errors import UsageError
from ocrl_studies.core.record import Record, open_record

SETTINGS = {"env.name": "a", "episodes": 8}


def test_a_cell_goes_on_with_the_same_settings_alone(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "seed=0.json"
    record = open_record(path, "slots", SETTINGS, "cpu")
    with record.timed("training"):
        pass
    assert set(open_record(path, "slots", SETTINGS, "cpu").stages) == {"training"}
    other = {**SETTINGS, "env.name": "b"}
    with pytest.raises(UsageError, match=r"slots was started with env\.name=a, now it is b"):
        open_record(path, "slots", other, "cpu")


def test_a_stage_that_fails_is_not_noted(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.json", "slots", {})
    with pytest.raises(KeyboardInterrupt), record.timed("training"):
        raise KeyboardInterrupt
    assert not record.stages
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"name": "a"}), '{"a": 1}'])
def test_another_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(UsageError, match=r"record.*: delete it"):
        Record.load(tmp_path / "record.json")


def test_places_move_with_the_record(tmp_path: Path) -> None:
    record = open_record(tmp_path / "runs/study/cell.json", "slots", SETTINGS, "cpu")
    record.keep_place("agent", tmp_path / "runs/agent/seed=0")
    record.save()
    shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    moved = Record.load(tmp_path / "elsewhere/study/cell.json")
    assert moved.place("agent") == tmp_path / "elsewhere/agent/seed=0"
