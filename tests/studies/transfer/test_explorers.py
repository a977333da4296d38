"""Explorers are trained by a command, remember that they are, and stand beside agents."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import read_agent
from ocrl_studies import composition
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import world_of
from ocrl_studies.habits import Habits
from ocrl_studies.observations import make_token_environments, rewarding_novelty
from ocrl_studies.settings import check_settings
from ocrl_studies.stages.train_agent import train_agent
from ocrl_studies.transfer.evaluation import evaluate_transfer

TRUTH = ["encoder=ground_truth", "agent/extractor=mlp"]
TINY = [
    *("total_steps=128", "eval_every=0", "agent.num_envs=2", "agent.model.n_steps=32"),
    *("agent.model.batch_size=64", "agent.model.calibration_steps=4", "env.action_repeat=30"),
]


def trained(home: Path, *overrides: str) -> Path:
    words = [f"runs_dir={home}", *TRUTH, *TINY, *overrides]
    return train_agent(composition.compose("train_agent", words))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two agents and an explorer, and of an explorer for whom there are no agents."""
    path = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        trained(path, f"seed={seed}")
    trained(path, "agent=explorer", "agent.model.lstm_dim=8")
    trained(path, "agent=explorer", "agent.explores=tokens", "encoder.name=other")
    return path


def evaluated(home: Path, *overrides: str) -> None:
    words = [f"runs_dir={home}", "episodes=2", "num_envs=2", "env.action_repeat=30", *overrides]
    evaluate_transfer(composition.compose("evaluate_transfer", words))


def test_explorers_have_a_place_of_their_own_and_say_what_they_are(home: Path) -> None:
    runs = {path.relative_to(home).as_posix() for path in home.glob("*/*/*/*/last.safetensors")}
    assert runs == {
        f"{run}/last.safetensors"
        for run in (
            "agent/nav_maze_1/ground_truth/seed=0",
            "agent/nav_maze_1/ground_truth/seed=1",
            "explorer/nav_maze_1/ground_truth/seed=0",
            "explorer/nav_maze_1/other/seed=0",
        )
    }
    explores = {run: read_agent(home / run).header["explores"] for run in runs}
    assert explores == {run: run.startswith("explorer") for run in runs}


def test_they_stand_beside_agents(home: Path) -> None:
    evaluated(home, "explorers=[ground_truth/*]", "agreement=2")
    folder = home / "transfer/nav_maze_1"
    with (folder / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    played: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        mazes = played.setdefault(row["encoder"], [])
        mazes.append((row["condition"], row["layout"], row["seed"]))
    numbers = {name: len(mazes) for name, mazes in played.items() if "ground" in name}
    assert numbers == {
        "ground_truth": 8,
        "ground_truth_explorer": 4,
        "ground_truth_expgen": 4,
    }
    assert len({frozenset(mazes) for mazes in played.values()}) == 1
    text = (folder / "report.md").read_text()
    assert "| ground_truth_expgen | 1 |" in text
    assert "it is ExpGen" in text
    sizes = {
        row[1].strip(): int(row[3].replace(",", ""))
        for line in text.splitlines()
        if len(row := line.split("|")) == 5 and row[3].strip().replace(",", "").isdigit()
    }
    alone, explorer = sizes["ground_truth"], sizes["ground_truth_explorer"]
    assert sizes["ground_truth_expgen"] == 2 * alone + explorer


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["explorers=[nobody/*]"], "there are no explorers in .*agent=explorer"),
        (["explorers=[other/*]"], "explores for agents of encoder=other"),
        (["explorers=[ground_truth/*]", "agreement=3"], "agreement=3 of 2 agents: take 1 to 2"),
    ],
)
def test_what_is_missing_is_one_line(home: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        evaluated(home, *overrides)
    assert "\n" not in str(caught.value)


def test_an_explorer_of_another_world_is_refused(home: Path, tmp_path: Path) -> None:
    for stage in ("agent", "explorer"):
        (tmp_path / stage / "nav_maze_1").mkdir(parents=True)
        (tmp_path / stage / "nav_maze_1/ground_truth").symlink_to(
            home / stage / "nav_maze_1/ground_truth"
        )
    (tmp_path / "explorer/nav_maze_1/ground_truth").unlink()
    trained(tmp_path, "agent=explorer", "env.action_repeat=4")
    with pytest.raises(UsageError, match=r"runs with different env\.action_repeat"):
        evaluated(tmp_path, "explorers=[ground_truth/*]")


def test_settings_that_explorers_cannot_have() -> None:
    with pytest.raises(UsageError, match=r"agent\.explores=place: expected one of tokens, places"):
        check_settings({"agent.explores": "place"})
    with pytest.raises(UsageError, match="agreement=0: expected a whole number from 1"):
        check_settings({"agreement": 0})


def test_novelty_is_of_places_where_a_world_knows_them() -> None:
    env = EnvSettings.of(composition.compose("train_agent", TRUTH).env)
    notes = {"encoder": {"name": "ground_truth"}, "agent": {}, "env": {}}
    habits = Habits.read(notes, "this")
    inner = make_token_environments(env, env.splits["train"], 3, habits, None)
    venv = rewarding_novelty(inner, "places")
    venv.seed(0)
    venv.reset()
    places = [world_of(venv).places()]
    for action in (1, 1, 0, 2, 1, 1):
        _, rewards, _, _ = venv.step(np.full(3, action))
        here = world_of(venv).places()
        far = np.sort(np.linalg.norm(np.stack(places) - here, axis=-1), axis=0)
        expected = np.log1p(far[min(3, len(places)) - 1])
        assert rewards == pytest.approx(expected, abs=1e-5)
        places.append(here)
