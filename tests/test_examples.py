"""The examples, a few steps of each, in the environments that they are about."""

import runpy
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from ocrl import create_encoder
from ocrl.checkpoints import save_encoder
from ocrl.visualization import save_image
from ocrl_agents.checkpoints import read_agent

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.filterwarnings("ignore")
def test_atari(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ale_py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "rollouts"))
    main = runpy.run_path(str(EXAMPLES / "atari.py"))["main"]
    tiny = ["data.num_envs=2", "data.num_steps={train: 60, validation: 40}", "scoring.num_clips=2"]
    main(
        tmp_path,
        [*tiny, "pretraining.max_steps=2", "pretraining.steps_per_epoch=2"],
        [
            "total_steps=64",
            "eval_every=0",
            "agent.num_envs=2",
            "agent.model.n_steps=32",
            "agent.model.batch_size=64",
        ],
        num_steps=20,
    )
    folder = tmp_path / "agent/ALE-Breakout-v5/slotcontrast/seed=0"
    assert read_agent(folder / "last.safetensors").header["num_timesteps"] == 64
    assert "score: " in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_minigrid(tmp_path):
    pytest.importorskip("minigrid")
    example = runpy.run_path(str(EXAMPLES / "custom_env.py"))
    videos = example["collect"](example["make_env"], 160)
    assert videos.frames(0, 0, 2).shape == (2, 56, 56, 3)
    # its agent's part is tested where a quicker environment is
    path = example["pretrain_encoder"](videos, tmp_path, max_steps=2)
    assert path.exists()
    assert (tmp_path / "masks.png").stat().st_size > 0


@pytest.mark.filterwarnings("ignore")
def test_small_things(tmp_path, capsys):
    pytest.importorskip("ale_py")
    config = {"_target_": "ocrl.create_encoder", "name": "slotcontrast", "num_slots": 3}
    torch.manual_seed(0)
    save_encoder(
        tmp_path / "encoder.safetensors", create_encoder("slotcontrast", num_slots=3), config
    )
    example = runpy.run_path(str(EXAMPLES / "small_things.py"))
    example["main"]([str(tmp_path / "encoder.safetensors")], num_frames=8, num_envs=2, num_steps=2)
    lines = capsys.readouterr().out.splitlines()
    assert sum("paddle x" in line and "ball y" in line for line in lines) == 6
    paddle, *ball = example["facts"](np.arange(128, dtype=np.uint8))
    assert (paddle, ball) == (72, [99, 101])
    assert np.isnan(example["facts"](np.zeros(128, np.uint8))[1:]).all()


def test_maze_shifts(tmp_path):
    main = runpy.run_path(str(EXAMPLES / "maze_shifts.py"))["main"]
    main(str(tmp_path / "shifts.png"))
    picture = iio.imread(tmp_path / "shifts.png")
    assert picture.shape == (16 + 128 + 86, 7 * 128 + 6 * 2, 3)
    # the same maze and place, other textures and other things
    none, *others = (picture[16:144, 130 * column :][:, :128].astype(int) for column in range(7))
    changed = [np.mean(np.any(view != none, axis=-1)) for view in others]
    layout, size, texture, objects, count, everything = changed
    assert min(layout, size, texture, everything) > 0.9
    assert max(objects, count) < 0.1


def test_encoder_masks(tmp_path):
    report = EXAMPLES.parent / "results/segmentation/movi_a_like"
    example = runpy.run_path(str(EXAMPLES / "encoder_masks.py"))
    example["main"](report, tmp_path / "masks.png")
    picture = iio.imread(tmp_path / "masks.png")
    rows = [path for path in report.glob("*.png") if path.stem != "scores"]
    side = len(picture) // (2 + len(rows))
    assert len(picture) == side * (2 + len(rows))
    shown = [picture[i * side :][:side, 205:].mean((0, 1)) for i in range(2 + len(rows))]
    # frames, true segments and masks are the first three rows of a picture
    source = iio.imread(sorted(rows)[0])
    height = (source.shape[1] + 2) // 8
    expected = [source[i * height :][: height - 2, :, :3].mean((0, 1)) for i in range(3)]
    assert np.abs(np.array(shown[:3]) - expected).max() < 2


@pytest.mark.filterwarnings("ignore")
def test_photographs(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    save_image(tmp_path / "photographs/a.png", colours)
    main = runpy.run_path(str(EXAMPLES / "photographs.py"))["main"]
    main(tmp_path / "photographs", tmp_path / "picture.png", num_crops=2, max_steps=1)
    height, width = iio.imread(tmp_path / "picture.png").shape[:2]
    assert width > 3 * height


@pytest.mark.filterwarnings("ignore")
def test_small_things_by_masks(capsys):
    pytest.importorskip("ale_py")
    example = runpy.run_path(str(EXAMPLES / "small_things_masks.py"))
    example["main"]([], number=2, sizes=[64])
    assert capsys.readouterr().out.count("16 clusters") == 2
    segments = np.zeros((20, 20), int)
    segments[4:6, 7:9] = 1
    has_own, size = example["has_own"], (40, 60)
    assert has_own(segments, np.array([10.0, 24.0]), size)
    assert not has_own(segments, np.array([30.0, 24.0]), size)
    segments[:, 7:9] = 1  # no longer small
    assert not has_own(segments, np.array([10.0, 24.0]), size)


def test_crafter(monkeypatch):
    pytest.importorskip("crafter")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / "crafter_world.py"))
    env = gym.make("Crafter-v0", size=96, length=5)
    check_env(env.unwrapped)
    frame, _ = env.reset(seed=3)
    assert np.array_equal(frame, env.reset(seed=3)[0])  # the seed chooses the world
    assert not np.array_equal(frame, env.reset()[0])  # and each episode has its own
    *_, terminated, truncated, _ = [env.step(0) for _ in range(5)][-1]
    assert (terminated, truncated) == (False, True)


@pytest.mark.filterwarnings("ignore")
def test_creatures_by_masks(monkeypatch, capsys):
    pytest.importorskip("crafter")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example = runpy.run_path(str(EXAMPLES / "crafter_things.py"))
    example["main"]([], number=1, sizes=[64])
    assert capsys.readouterr().out.count("player found") == 3
    segments = np.zeros((20, 20), int)
    segments[4:8, 4:6] = 1  # half of a square of 4 x 4
    assert example["overlap"](segments, slice(4, 8), slice(4, 8)) == 0.5
    # the player is drawn where the example says
    frame, things = next(example["see"](1, 90))
    assert ("player", slice(30, 40), slice(40, 50)) in things
    assert len(np.unique(frame[30:40, 40:50].reshape(-1, 3), axis=0)) > 5


def test_what_predicts_transfer(tmp_path, capsys):
    returns = {"grid": 1.0, "vector": 2.0, "slots": 4.0}
    episodes = ["encoder,agent_seed,condition,return"]
    for name, value in returns.items():  # seeds count alike, however many episodes they have
        episodes += [f"{name},0,layout,{value - 1}"] * 3 + [f"{name},1,layout,{value + 1}"]
        episodes.append(f"{name},0,train,{-100 * value}")
    episodes.append("random,,layout,99")
    (tmp_path / "episodes.csv").write_text("\n".join(episodes))
    probes = ["encoder,probe,fact,value"]
    for name, value in returns.items():
        probes += [f"{name},mlp,helps,{value}", f"{name},linear,helps,0"]
        probes.append(f"{name},mlp,hinders,{-value}")
    (tmp_path / "probes.csv").write_text("\n".join(probes))
    example = runpy.run_path(str(EXAMPLES / "what_predicts_transfer.py"))
    assert example["mean_returns"](tmp_path / "episodes.csv") == returns
    paths = tmp_path / "episodes.csv", [tmp_path / "probes.csv"], tmp_path / "picture.png"
    example["main"](*paths)
    lines = capsys.readouterr().out.split("\n")
    assert lines[1].split() == ["helps", "1.00", "3"]
    assert lines[2].split() == ["hinders", "-1.00", "3"]
    assert iio.imread(tmp_path / "picture.png").std() > 0
