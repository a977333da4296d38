"""A short run of the campaigns: no traceback, no hang, no flood, and damage does not go unseen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_studies.fuzzing import trials
from ocrl_studies.fuzzing.files import checkpoints, files, prepare
from ocrl_studies.fuzzing.mutations import copy_of, damage, nasty
from ocrl_studies.fuzzing.samples import CHECKPOINTS, SAMPLES
from ocrl_studies.fuzzing.trials import Trial, campaign, ends, table

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("tried", "number"), [(files, 2 * len(SAMPLES)), (checkpoints, 30)])
def test_a_short_campaign_finds_nothing(tmp_path: Path, tried: object, number: int) -> None:
    log = tmp_path / "log.jsonl"
    assert callable(tried)
    tried(number, 7, tmp_path / "folder", log)
    rows = ends(log)
    assert len(rows) == number
    bad = [row for row in rows if row["outcome"] not in (trials.ANSWER, trials.ACCEPTED)]
    assert not bad
    if tried is checkpoints:
        assert {row["outcome"] for row in rows} == {trials.ANSWER}


def test_what_goes_wrong_is_told_apart_and_a_campaign_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "LONGEST", 0.3)
    ways = {
        trials.ANSWER: lambda: _raise(UsageError("one line")),
        trials.TRACEBACK: lambda: _raise(UsageError("two\nlines")),
        trials.ACCEPTED: lambda: None,
        trials.CRASH: lambda: __import__("os").abort(),
        trials.HANG: _compute,
    }
    log = tmp_path / "log.jsonl"

    def make(number: int) -> Trial:
        outcome = list(ways)[number]
        return Trial(outcome, "", ways[outcome])

    campaign(make, 2, log)
    with log.open("a") as file:
        file.write('{"number": 4, "ki')  # killed as it wrote
    with log.open("a") as file:
        file.write("\n")
    campaign(make, len(ways), log)
    assert {kind: dict(found) for kind, found in table(log).items()} == {
        outcome: {outcome: 1} for outcome in ways
    }


def test_changes_are_those_of_their_seed(tmp_path: Path) -> None:
    place = prepare(CHECKPOINTS[:1], tmp_path)["encoder"]
    made = set()
    for _ in range(2):
        path = copy_of(place, tmp_path / "copy") / "a.safetensors"
        damage(path, np.random.default_rng(3))
        made.add(path.read_bytes())
    assert len(made) == 1
    assert made != {(place / "a.safetensors").read_bytes()}
    content = {"a": [1, {"b": 2}], "c": "d"}
    changed = [json.dumps(nasty(content, np.random.default_rng(seed))) for seed in range(30)]
    assert json.dumps(content) not in changed


def _raise(error: Exception) -> None:
    raise error


def _compute() -> None:
    while True:
        sum(range(10_000))
