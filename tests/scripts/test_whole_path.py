"""Rollouts, pretraining, an agent and its transfer: the scripts, as a user runs them, but tiny."""

import csv
import json
import re

import imageio.v3 as iio
import minari
import pytest
from omegaconf import OmegaConf

TINY_ROLLOUTS = [
    "data.num_envs=2",
    "data.num_steps.train=120",
    "data.num_steps.validation=60",
]
TINY_PRETRAINING = [
    "pretraining.max_steps=4",
    "pretraining.steps_per_epoch=2",
    "pretraining.batch_size=2",
    "scoring.num_clips=2",
    "scoring.clip_length=3",
    "scoring.num_pictures=1",
]
TINY_AGENT = [
    "total_steps=256",
    "eval_every=0",
    "agent.num_envs=2",
    "agent.model.n_steps=64",
    "agent.model.batch_size=128",
]


def one_line(err):
    return len([line for line in err.splitlines() if line.startswith("error:")]) == 1


def test_an_agent_without_an_encoder_is_told_how_to_make_one(run):
    code, _, err = run("train_agent.py", "encoder=slotcontrast")
    assert code == 2
    assert one_line(err)
    assert "scripts/pretrain_slots.py env=nav_maze_1 encoder=slotcontrast" in err


def test_rollouts_are_a_minari_dataset(run):
    code, out, _ = run("collect_rollouts.py", *TINY_ROLLOUTS)
    assert code == 0
    assert 'minari.load_dataset("ocrl/nav_maze_1/train-v0")' in out
    assert re.search(rf"next: python \S+/pretrain_slots.py {' '.join(TINY_ROLLOUTS)}$", out, re.M)
    dataset = minari.load_dataset("ocrl/nav_maze_1/train-v0")
    assert dataset.total_steps == 120
    observations = dataset[0].observations
    assert observations["frames"].shape[1:] == (64, 64, 3)
    assert observations["segments"].shape[1:] == (64, 64)
    assert observations["position"].shape[1:] == (2,)
    code, out, _ = run("collect_rollouts.py", *TINY_ROLLOUTS)  # what is there is kept
    assert code == 0
    assert "are there already" in out
    code, _, err = run("collect_rollouts.py", *TINY_ROLLOUTS, "seed=7")  # others are refused
    assert code == 2
    assert one_line(err)


def test_the_demo_evaluates_what_it_trained(run):
    code, _, err = run("evaluate_transfer.py", "experiment=demo")  # it has trained nothing yet
    assert code == 2
    assert "there are no agents in runs/demo/agent/seekavoid_arena_1" in err


@pytest.mark.parametrize("encoder", ["slotcontrast", "vector", "grid"])
def test_encoder_agent_and_resume(run, home, encoder):
    pretraining = ["pretrain_slots.py", f"encoder={encoder}", *TINY_ROLLOUTS, *TINY_PRETRAINING]
    code, _, err = run(*pretraining)
    assert code == 0, err
    folder = home / "runs/pretrain/nav_maze_1" / encoder / "seed=0"
    assert (folder / "encoder.safetensors").exists()
    assert any(folder.glob("events.out.tfevents.*"))
    scores = json.loads((folder / "scores.json").read_text())
    assert scores[encoder]["unexplained"] > 0
    if encoder == "slotcontrast":
        assert set(scores) == {"slotcontrast", "block masks", "k-means on colour"}
        assert list((folder / "pictures").glob("*.png"))
    assert run(*pretraining)[0] == 2  # nothing is overwritten unasked
    assert run(*pretraining, "resume=true")[0] == 0

    training = ["train_agent.py", f"encoder={encoder}", *TINY_AGENT]
    code, _, err = run(*training)
    assert code == 0, err
    assert run(*training)[0] == 2
    assert run(*training, "resume=true", "total_steps=512")[0] == 0
    progress = home / "runs/agent/nav_maze_1" / encoder / "seed=0/progress.csv"
    with progress.open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps[-1] == 512

    agent = f"checkpoint=runs/agent/nav_maze_1/{encoder}/seed=0/last.safetensors"
    code, _, err = run("record_video.py", agent, "steps=2", "variation={split:test}")
    assert code == 0, err
    frames = iio.imread(home / f"runs/videos/nav_maze_1-{encoder}-0.mp4", plugin="pyav")
    # frame, view and map; tokens with a place also their segments and the policy's attention
    panels = 3 if encoder == "vector" else 5
    assert frames.shape[0] == 2
    assert frames.shape[2] // (frames.shape[1] - 16) == panels, "below their titles"


def test_a_checkpoint_that_does_not_fit_is_one_line(run, home):
    pretrained = "runs/pretrain/nav_maze_1"
    vector = f"checkpoint={pretrained}/vector/seed=0/encoder.safetensors"
    code, _, err = run("train_agent.py", "encoder=slotcontrast", "seed=7", vector)
    assert code == 2
    assert one_line(err)
    assert "is a vector" in err
    code, _, err = run(
        "train_agent.py", "encoder=vector", "seed=7", vector, "encoder.image_size=[96,96]"
    )
    assert code == 2
    assert "takes images of (64, 64)" in err
    whole = home / pretrained / "grid/seed=0/encoder.safetensors"
    (home / "cut.safetensors").write_bytes(whole.read_bytes()[:5000])
    code, _, err = run("train_agent.py", "encoder=grid", "seed=7", "checkpoint=cut.safetensors")
    assert code == 2
    assert one_line(err)
    assert "cut.safetensors" in err
    assert not (home / "runs/agent/nav_maze_1/grid/seed=7").exists()


def test_runs_that_were_moved_play(run, home):
    (home / "runs").rename(home / "moved")
    film = ["record_video.py", "steps=2", "variation={split:test}", "runs_dir=moved"]
    agent = "checkpoint=moved/agent/nav_maze_1/vector/seed=0/last.safetensors"
    code, _, err = run(*film, agent, "seed=1")
    assert code == 0, err
    encoder = home / "moved/pretrain/nav_maze_1/vector/seed=0/encoder.safetensors"
    encoder.rename(home / "encoder.safetensors")
    code, _, err = run(*film, agent, "seed=2")
    assert code == 2
    assert one_line(err)
    assert "encoder_checkpoint=" in err
    assert run(*film, agent, "seed=2", "encoder_checkpoint=encoder.safetensors")[0] == 0
    other = "encoder_checkpoint=moved/pretrain/nav_maze_1/grid/seed=0/encoder.safetensors"
    code, _, err = run(*film, agent, "seed=3", other)
    assert code == 2
    assert "another encoder" in err
    (home / "encoder.safetensors").rename(encoder)
    (home / "moved").rename(home / "runs")


def test_transfer_plays_the_same_mazes_for_every_agent(run, home):
    code, out, err = run("evaluate_transfer.py", "episodes=2", "num_envs=2")
    assert code == 0, err
    assert "report.html" in out
    folder = home / "runs/transfer/nav_maze_1"
    with (folder / "episodes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (3 + 4) * 2 * 2  # three encoders, four policies without learning
    assert "| oracle | - |" in (folder / "report.md").read_text()
    mazes = {(row["encoder"], row["condition"]): [] for row in rows}
    for row in rows:
        mazes[row["encoder"], row["condition"]].append((row["layout"], row["seed"]))
    assert len({tuple(played) for played in mazes.values()}) == 1
    assert "<img" in (folder / "report.html").read_text()


def test_a_condition_that_is_the_training_is_not_played_and_said_to_be(run, home):
    same = ["conditions.layout=${env.train}", "agents=[vector/seed=0]", "env.policies=[random]"]
    code, out, err = run("evaluate_transfer.py", "episodes=2", "num_envs=2", *same)
    assert code == 0, err
    assert "layout plays the environments of the training, and is not played again" in out
    assert "under condition layout" not in out
    report = (home / "runs/transfer/nav_maze_1/report.md").read_text()
    assert "layout plays the environments of the training, whose numbers it repeats" in report


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("total_steps", 10**6, "continue it with resume=true"),
        ("env.train.num_layouts", 3, "runs with different env.train.num_layouts"),
    ],
)
def test_agents_that_are_not_comparable_are_not_put_into_one_table(run, home, key, value, said):
    path = home / "runs/agent/nav_maze_1/vector/seed=0/config.resume-1.yaml"
    before = path.read_text()
    config = OmegaConf.create(before)
    OmegaConf.update(config, key, value)
    path.write_text(OmegaConf.to_yaml(config))
    code, _, err = run("evaluate_transfer.py", "episodes=2", "num_envs=2")
    path.write_text(before)
    assert code == 2
    assert one_line(err)
    assert said in err


def test_transfer_without_agents_names_the_command(run):
    world = ["env=custom", "env.id=CartPole-v1", "runs_dir=elsewhere"]
    code, _, err = run("evaluate_transfer.py", *world)
    assert code == 2
    assert one_line(err)
    assert all(word in err for word in ("train_agent.py", *world))


@pytest.mark.parametrize(
    "script",
    [
        "collect_rollouts",
        "pretrain_slots",
        "train_agent",
        "evaluate_transfer",
        "record_video",
        "play",
        "segment",
        "generate_scenes",
        "convert_data",
        "evaluate_slots",
    ],
)
def test_help_explains_itself(run, script):
    code, out, _ = run(f"{script}.py", "--help")
    assert code == 0
    assert out.startswith(f"{script}: ")
    assert re.search(rf"Usage: python \S*scripts/{script}\.py ", out)


def test_a_policy_is_filmed(run, home):
    code, out, err = run("record_video.py", "steps=2", "output=walk.gif", "policy=wandering")
    assert code == 0, err
    assert "walk.gif" in out
    assert iio.imread(home / "walk.gif").shape == (3, 512, 1024, 3)
    assert run("record_video.py", "steps=2", "output=walk.gif")[0] == 2


def test_playing_without_a_screen_is_one_line(run):
    code, _, err = run("play.py")
    assert code == 2
    assert one_line(err)
    assert "record_video.py" in err
