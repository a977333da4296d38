"""Commands that are printed to be copied say all that they need."""

import shlex
import sys

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from ocrl_studies.composition import compose
from ocrl_studies.invocation import call, invocation, repeat, trust
from ocrl_studies.sources import make_source


def words(command):
    return shlex.split(command)[2:]


@pytest.mark.parametrize(
    "given",
    [
        ["env=nav_maze_2", "encoder=vector", "seed=3"],
        ["env=custom", "encoder=slotcontrast", "env.id=ALE/Breakout-v5", "env.import=ale_py"],
        ["env=custom", "encoder=vector", "env.id=a/B-v0", "env.wrappers=[{a.B:{p:0.25}},c.D]"],
        ["env=custom", "encoder=vector", "env.id=CarRacing-v3", "+env.kwargs.continuous=false"],
        ["env=nav_maze_1", "encoder=vector", "trusted=[mypackage]", "runs_dir=else where"],
        [
            "env=nav_maze_1",
            "encoder=custom",
            "encoder.name=mine",
            "encoder.model._target_=mypackage.Mine",
            "+encoder.model.num_slots=5",
        ],
    ],
    ids=lambda given: given[-1],
)
@pytest.mark.parametrize("verb", ["train_agent", "pretrain_slots"])
def test_another_stage_gets_the_same_world_and_encoder(verb, given):
    before = compose("pretrain_slots", given)
    after = compose(verb, words(invocation(verb, before)))
    for part in ("env", "encoder", "seed", "runs_dir"):
        assert after[part] == before[part]
    own = before.encoder.model._target_.startswith("mypackage.")
    assert after.trusted == (["mypackage"] if own else before.trusted)


def test_an_agent_names_the_pretraining_of_its_encoder():
    cfg = compose("train_agent", ["encoder=shuffled", "env.train.num_layouts=10"])
    command = words(invocation("pretrain_slots", cfg))
    assert command == ["env=nav_maze_1", "encoder=slotcontrast", "env.train.num_layouts=10"]
    own = ["encoder=vector", "encoder.finetune=true", "encoder.name=tuned"]
    cfg = compose("train_agent", [*own, "encoder.pretrained_as=vector"])
    assert words(invocation("pretrain_slots", cfg)) == ["env=nav_maze_1", "encoder=vector"]


def test_an_experiment_is_said_to_those_that_have_it(monkeypatch):
    cfg = compose("evaluate_transfer", ["experiment=demo"])
    runtime = {"choices": {"experiment": "demo"}, "config_sources": []}
    monkeypatch.setattr(
        HydraConfig.instance(), "cfg", OmegaConf.create({"hydra": {"runtime": runtime}})
    )
    assert "experiment=demo" in words(invocation("train_agent", cfg))
    film = compose("record_video", words(invocation("record_video", cfg)))
    assert film.runs_dir == cfg.runs_dir  # which the experiment says


def test_a_command_whose_source_was_made_still_knows_what_was_said():
    cfg = compose("pretrain_slots", ["encoder=vector"])
    make_source(cfg.data)
    assert words(invocation("train_agent", cfg)) == ["env=nav_maze_1", "encoder=vector"]


def test_a_simulator_is_said_and_what_follows_from_it_is_not():
    cfg = compose("train_agent", ["simulator=dmlab", "encoder=vector", "seed=3"])
    command = words(invocation("evaluate_transfer", cfg))
    assert command == ["env=nav_maze_1", "simulator=dmlab"]


@pytest.mark.parametrize(
    ("started_as", "expected"),
    [
        ("ocrl train-agent", "ocrl evaluate-slots"),
        ("/home/me/bin/ocrl", "ocrl evaluate-slots"),
        ("C:/Scripts/ocrl.exe", "ocrl evaluate-slots"),
        ("/site-packages/ocrl_studies/__main__.py", "ocrl evaluate-slots"),
        ("scripts/train_agent.py", "python scripts/evaluate_slots.py"),
        ("../clone/scripts/play.py", "python ../clone/scripts/evaluate_slots.py"),
        ("/usr/bin/pytest", "python scripts/evaluate_slots.py"),
    ],
)
def test_a_command_is_called_as_this_process_was(started_as, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", [started_as])
    assert call("evaluate_slots") == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["scripts/play.py", "run_dir=my run"], "python scripts/play.py 'run_dir=my run'"),
        (["/bin/ocrl", "play", "seed=1"], "ocrl play seed=1"),
    ],
)
def test_a_report_says_what_was_run(arguments, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", arguments)
    assert repeat("play") == expected


def test_what_plays_an_agent_may_build_what_it_was_trained_with():
    cfg = compose("train_agent", ["encoder=vector", "trusted=[mypackage,another]"])
    command = words(invocation("evaluate_transfer", cfg))
    evaluation = compose("evaluate_transfer", command)
    (word,) = shlex.split(trust(evaluation))
    assert compose("record_video", [word]).trusted == cfg.trusted
    assert trust(compose("evaluate_transfer")) == ""
