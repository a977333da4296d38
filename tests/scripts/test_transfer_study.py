"""The transfer study as a user runs it, but tiny: it skips, continues, refuses and reports."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_studies.stages.pretrain_slots import SlotPretraining

TINY = [
    "env=seekavoid_arena_1",
    "conditions=layout",
    "encoder=slotcontrast,vector",
    "seed=0",
    "num_layouts=[1,2]",
    "data.num_envs=2",
    "data.num_steps.train=120",
    "data.num_steps.validation=60",
    "pretraining.max_steps=4",
    "pretraining.steps_per_epoch=2",
    "pretraining.batch_size=2",
    "scoring.num_clips=2",
    "scoring.clip_length=3",
    "scoring.num_pictures=1",
    "total_steps=256",
    "eval_every=0",
    "agent.num_envs=2",
    "agent.model.n_steps=64",
    "agent.model.batch_size=128",
    "episodes=2",
    "num_envs=2",
    "strip.num_frames=2",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def study(run: Run) -> Run:
    """Run the tiny study with further arguments."""

    def call(*arguments: str, settings: Sequence[str] = TINY) -> tuple[int, str, str]:
        return run("transfer_study.py", *settings, *arguments)

    return call


def errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("error:")]


def played(home: Path, runs: str = "runs") -> dict[str, bytes]:
    """Return all episodes, which an interruption may not change."""
    found = (home / runs).rglob("transfer/*.json")
    return {str(path.relative_to(home / runs)): path.read_bytes() for path in found}


def stamps(home: Path) -> dict[Path, int]:
    """Return when encoders, agents and episodes were written."""
    found = [*home.glob("runs/**/*.safetensors"), *home.glob("runs/**/transfer/*.json")]
    return {path: path.stat().st_mtime_ns for path in found}


def durations(home: Path) -> list[object]:
    """Return what the records of cells say of how long their stages took."""
    paths = sorted((home / "runs/study").rglob("seed=*.json"))
    return [json.loads(path.read_text())["stages"] for path in paths]


def test_one_command_makes_the_report(study: Run, home: Path) -> None:
    code, out, err = study()
    assert code == 0, err
    folder = home / "runs/study/seekavoid_arena_1"
    assert f"report: {folder.relative_to(home)}/report.html" in out
    with (folder / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    cells = {(r["encoder"], r["training_layouts"], r["condition"]) for r in rows}
    encoders = {(e, n) for e in ("slotcontrast", "vector") for n in ("1", "2")}
    policies = ("random", "wandering", "wall_follower", "oracle")
    references = {(e, n) for e in policies for n in ("1", "2")}
    assert cells == {(*who, c) for who in encoders | references for c in ("train", "layout")}
    of_two = [r for r in rows if r["training_layouts"] != "1"]
    mazes: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for r in of_two:
        mazes.setdefault((r["encoder"], r["condition"]), []).append((r["layout"], r["seed"]))
    assert len({tuple(played) for played in mazes.values()}) == 1
    html, markdown = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    assert 'src="http' not in html
    assert html.count("<img") == markdown.count("![") >= 10
    assert "(learning.png)" not in markdown  # no episode has ended
    for name in ("generalisation", "slot_quality", "profiles", "gaps"):
        assert f"({name}.png)" in markdown
        assert (folder / f"{name}.png").exists()
    assert "Success rate" not in markdown  # this level has no goal
    assert "torch" in markdown
    assert "python scripts/transfer_study.py env=seekavoid_arena_1" in markdown


def test_one_seed_leaves_intervals_unknown(home: Path) -> None:
    markdown = (home / "runs/study/seekavoid_arena_1/report.md").read_text()
    row = next(line for line in markdown.splitlines() if line.startswith("| slotcontrast | 1 |"))
    assert row.count("[unknown]") == 4  # train, layout, unseen, gap
    assert "| random | - | 0.00 | 0.00 | 0.00 | 0.00 |" in markdown
    assert "| oracle | - | 1.00 | 1.00 | 1.00 | 0.00 |" in markdown
    assert "too few seeds" in markdown
    with (home / "runs/study/seekavoid_arena_1/scores.csv").open() as file:
        assert {row["low"] for row in csv.DictReader(file)} == {"nan"}


def test_what_is_done_is_skipped(study: Run, home: Path) -> None:
    before = stamps(home), durations(home)
    assert study()[0] == 0
    assert (stamps(home), durations(home)) == before


def test_any_encoder_may_be_the_one_that_others_are_compared_with(study: Run, home: Path) -> None:
    for first, other in (("vector", "slotcontrast"), ("slotcontrast", "vector")):
        assert study(f"compare={first}")[0] == 0
        markdown = (home / "runs/study/seekavoid_arena_1/report.md").read_text()
        assert f"| {first} against {other} |" in markdown


def test_interrupted_anywhere_it_comes_to_the_same(
    study: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    again = ("runs_dir=again", "encoder=slotcontrast")
    stages, playing = "ocrl_studies.stages", "ocrl_studies.transfer.playing"
    for stage in (
        f"{stages}.pretrain_slots.SlotPretraining.train",
        f"{stages}.train_agent.AgentTraining.train",
        f"{playing}.load_agent",
        f"{playing}.save_episodes",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(stage, interrupted)
            assert study(*again)[0] == 130
    assert study(*again)[0] == 0
    expected = {name: text for name, text in played(home).items() if "vector" not in name}
    assert played(home, "again") == expected
    shutil.rmtree(home / "again/agent/seekavoid_arena_1/layouts=1")
    assert study(*again)[0] == 0
    assert played(home, "again") == expected


def test_cells_side_by_side_come_to_the_same(study: Run, home: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    code, _, err = study("runs_dir=beside", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert code == 0, err
    assert played(home, "beside") == played(home)


def test_other_settings_are_one_line_that_says_which(study: Run, home: Path) -> None:
    before = played(home)
    code, _, err = study("total_steps=512")
    assert code == 2
    assert all("total_steps=256, now it is 512" in line for line in errors(err))
    code, _, err = study("episodes=3")
    assert code == 2
    assert all("episodes=2, now it is 3" in line for line in errors(err))
    assert played(home) == before


@pytest.mark.parametrize(
    ("copy", "setting", "value"),
    [
        ("vector/seed=0", "env.kwargs.level", "nav_maze_1"),
        ("vector/seed=1", "pretraining.learning_rate", 0.5),
    ],
)
def test_cells_of_other_settings_are_not_put_into_one_table(
    study: Run, home: Path, copy: str, setting: str, value: object
) -> None:
    folder = home / "runs/study/seekavoid_arena_1/cells"
    text = (folder / "vector/seed=0.json").read_text()
    record = json.loads(text)
    record["settings"][setting] = value
    record["name"] = "the odd one"
    (folder / f"{copy}.json").write_text(json.dumps(record))
    code, _, err = study("encoder=slotcontrast")
    (folder / f"{copy}.json").unlink()
    (folder / "vector/seed=0.json").write_text(text)
    assert code == 2
    (line,) = errors(err)
    assert f"different {setting}" in line
    assert f"the odd one has {value}" in line


def test_a_cell_that_fails_leaves_the_others(
    study: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(pretraining: SlotPretraining) -> None:
        raise UsageError("the loss is not finite")

    with monkeypatch.context() as patch:
        patch.setattr(SlotPretraining, "train", failing)
        code, out, err = study("seed=1,0")
    assert code == 2
    assert "report: " in out
    assert "slotcontrast seed=1: the loss is not finite" in errors(err)[-1]
    markdown = (home / "runs/study/seekavoid_arena_1/report.md").read_text()
    assert "left out: slotcontrast seed=1: the loss is not finite" in markdown
    for path in (home / "runs/study/seekavoid_arena_1/cells").glob("*/seed=1.json"):
        path.unlink()


def test_cells_need_not_have_every_point_of_the_curve(study: Run, home: Path) -> None:
    assert study("encoder=cnn", "num_layouts=[2]")[0] == 0
    code, _, err = study("encoder=slotcontrast")
    assert code == 0, err
    markdown = (home / "runs/study/seekavoid_arena_1/report.md").read_text()
    assert "Not complete" not in markdown
    scores, curve = markdown.split("training layouts | train | layout |")
    assert "\n| cnn | 1 |" in scores
    rows = [line.split(" | ")[:2] for line in curve.splitlines() if line.startswith("| ")]
    points = [[e, n] for e in ("| slotcontrast", "| vector") for n in ("1", "2")]
    assert rows[1:5] == points
    assert "| cnn | 2 |" not in curve
    code, _, err = study("num_layouts=[1,null]")
    assert code == 2
    assert all("null is no point of a curve" in line for line in errors(err))


class Stripes(gymnasium.Env[np.ndarray, int]):
    """An environment of somebody else: no layouts, no oracle, no scores but the return."""

    observation_space = gymnasium.spaces.Box(0, 255, (96, 96, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.time = 0
        return self.observe(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.time += 1
        return self.observe(), float(action), False, self.time == 20, {}

    def observe(self) -> np.ndarray:
        return np.full((96, 96, 3), 5 * self.time, np.uint8)


def test_an_environment_of_ones_own(
    study: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    gymnasium.register("Stripes-v0", Stripes)
    own = ["env=custom", "env.id=Stripes-v0", "conditions=custom", "encoder=vector", "seed=0"]
    code, _, err = study(settings=[*own, *TINY[TINY.index("data.num_envs=2") :]])
    assert code == 0, err
    markdown = (home / "runs/study/Stripes-v0/report.md").read_text()
    assert "The score is the return per episode." in markdown
    assert "| random | - |" in markdown
    assert "oracle" not in markdown.partition("## How it was made")[0]
    assert "profiles.png" not in markdown


def test_sweeping_levels_is_refused_before_anything_is_done(study: Run, home: Path) -> None:
    code, _, err = study("env=nav_maze_1,nav_maze_2", "runs_dir=nothing")
    assert code == 2
    assert "one study for each env" in errors(err)[0]
    assert not (home / "nothing/study").exists()


def test_bugs_are_not_warnings(study: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrl_studies.transfer.study.read_results", lambda plan: 1 / 0)
    with pytest.raises(UserWarning, match="ZeroDivisionError"):
        study()


def test_help_explains_itself(study: Run) -> None:
    code, out, _ = study("--help", settings=[])
    assert code == 0
    assert out.startswith("transfer_study: ")
    assert "experiment=smoke" in out
