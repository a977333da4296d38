"""The whole path on DeepMind Lab's stand-in: an encoder, an agent, its transfer, the study."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import minari
import numpy as np
import pytest
import torch

from ocrl.checkpoints import load_encoder
from ocrl_studies.composition import compose
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.environments import world_of
from ocrl_studies.stages.evaluation import load_agent

STAND_IN = Path(__file__).parents[1] / "envs" / "dmlab"
SHORT = "+env.kwargs.settings.episodeLengthSeconds=1"
TINY_PRETRAINING = [
    "encoder=vector",
    "data.num_envs=2",
    "data.num_steps.train=60",
    "data.num_steps.validation=40",
    "pretraining.max_steps=2",
    "pretraining.steps_per_epoch=2",
    "pretraining.batch_size=2",
    "scoring.num_clips=2",
    "scoring.clip_length=3",
    "scoring.num_pictures=1",
]
TINY_AGENT = [
    "encoder=vector",
    "total_steps=64",
    "eval_every=64",
    "eval_episodes=1",
    "agent.num_envs=2",
    "agent.model.n_steps=32",
    "agent.model.batch_size=64",
    "agent.model.calibration_steps=4",
]
ON_DMLAB = "custom or dmlab_objects or dmlab_size"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def fake_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put the stand-in under the name of the real module."""
    (tmp_path / "deepmind_lab.py").write_text("from fake_deepmind_lab import Lab\n")
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deepmind_lab", raising=False)


@pytest.mark.parametrize("simulator", ["dmlab", "dmlab_mazes"])
def test_encoder_agent_and_transfer(run: Run, home: Path, simulator: str) -> None:
    where = [f"simulator={simulator}", SHORT]
    code, _, err = run("pretrain_slots.py", *where, *TINY_PRETRAINING)
    assert code == 0, err
    rollouts = minari.load_dataset(f"ocrl/nav_maze_1-{simulator}/train-v0")
    lengths = {len(episode.actions) for episode in rollouts.iterate_episodes()}
    assert max(lengths) == 15 - 8  # without the frames that show the ring
    code, _, err = run("train_agent.py", *where, *TINY_AGENT)
    assert code == 0, err
    code, _, err = run("evaluate_transfer.py", *where, "episodes=2", "num_envs=2")
    assert code == 0, err
    with (home / f"runs/transfer/nav_maze_1-{simulator}/episodes.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["encoder"] != "random"]
    conditions = [row["condition"] for row in rows]
    assert conditions == ["train"] * 2 + ["layout"] * 2


@pytest.mark.parametrize("simulator", ["dmlab", "dmlab_mazes"])
def test_study(run: Run, home: Path, simulator: str) -> None:
    settings = [*TINY_PRETRAINING, *TINY_AGENT, "seed=3", "eval_every=0", "runs_dir=runs/study"]
    playing = ["episodes=2", "num_envs=2", "strip.num_frames=2", "compare=vector"]
    name = f"simulator={simulator}"
    code, _, err = run("transfer_study.py", name, SHORT, *settings, *playing)
    assert code == 0, err
    folder = home / f"runs/study/study/nav_maze_1-{simulator}"
    with (folder / "episodes.csv").open() as file:
        assert {row["condition"] for row in csv.DictReader(file)} == {"train", "layout"}
    assert (folder / "report.html").exists()


def test_agent_of_a_twin_plays_in_the_lab(run: Run, home: Path) -> None:
    where = ["env=nav_maze_static_01", "runs_dir=twin"]
    two_updates = [
        "encoder=untrained",
        "agent.precision=float32",
        "total_steps=128",
        "eval_every=0",
    ]
    code, _, err = run("train_agent.py", *where, *TINY_AGENT, *two_updates)
    assert code == 0, err
    there = [*where, "simulator=dmlab", SHORT, "env.run_name=nav_maze_static_01"]
    playing = ["episodes=1", "num_envs=1", "run_dir=twin/sim_to_lab"]
    code, _, err = run("evaluate_transfer.py", *there, *playing)
    assert code == 0, err
    with (home / "twin/sim_to_lab/episodes.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["encoder"] == "untrained"]
    # 15 decisions, two at a time: for how long it holds an action goes along with the agent
    assert [(row["condition"], row["length"]) for row in rows] == [("train", "8"), ("layout", "8")]

    run_dir = home / "twin/agent/nav_maze_static_01/untrained/seed=0"
    there.remove(SHORT)
    (policy, lab), (_, maze) = (
        load_agent(run_dir / "last.safetensors", env, env.splits["train"], 2, "cpu")
        for env in (
            EnvSettings.of(compose("evaluate_transfer", names).env) for names in (there, where)
        )
    )
    assert lab.observation_space == maze.observation_space
    assert lab.action_space == maze.action_space
    encoder = load_encoder(run_dir / "encoder.safetensors")
    maze.reset()
    observations, state = lab.reset(), encoder.initial_state(2)
    for action in range(8):
        with torch.inference_mode():
            frames = torch.from_numpy(np.stack(world_of(lab).observations["rgb"]))
            output = encoder.step(frames, state, torch.full((2,), action == 0))
        state = output.state
        np.testing.assert_allclose(observations["tokens"], output.tokens, atol=1e-5)
        assert policy.predict(observations)[0].shape == (2,)
        observations, *_ = lab.step(np.full(2, action))
        turned = maze.step(np.full(2, action))[0]["velocity"][:, 2]
        np.testing.assert_array_equal(observations["velocity"][:, 2], turned)
    lab.close()


@pytest.mark.parametrize(
    ("arguments", "fitting"),
    [
        (
            ["conditions=shifts", "simulator=dmlab"],
            "custom or dmlab_objects or dmlab_size or layout",
        ),
        (["env=seekavoid_arena_1", "simulator=dmlab"], "custom or dmlab_objects or dmlab_size"),
        (
            ["conditions=shifts", "simulator=dmlab_mazes"],
            "custom or dmlab_objects or dmlab_size or layout",
        ),
        (["conditions=dmlab_size", "env=custom", "env.id=CartPole-v1"], "custom or layout"),
    ],
)
def test_conditions_that_do_not_fit_are_refused_before_anything_is_done(
    run: Run, home: Path, arguments: list[str], fitting: str
) -> None:
    code, _, err = run("transfer_study.py", *arguments, "encoder=vector", "runs_dir=none")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert line.endswith(f"choose conditions={fitting}")
    assert not (home / "none").exists() or not any((home / "none").rglob("*.*"))


@pytest.mark.parametrize(
    "command", [["pretrain_slots.py", *TINY_PRETRAINING], ["train_agent.py", "encoder=cnn"]]
)
def test_what_cannot_start_leaves_no_folder(run: Run, home: Path, command: list[str]) -> None:
    wrong = "env.kwargs.level=nav_maze_9"
    names = ["runs_dir=wrong", "env.run_name=wrong"]
    code, _, err = run(*command, "simulator=dmlab", wrong, *names)
    assert code == 2
    assert [line for line in err.splitlines() if "Level not found" in line]
    assert not list((home / "wrong").rglob("*"))
