"""Rollouts on disk: what is stored is what happened, whatever the kind of autoreset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import minari.cli as minari_cli
import numpy as np
import pytest
from clocks import Clock, clocks, collect, time_policy
from gymnasium.vector import AutoresetMode
from minari.storage.datasets_root_dir import get_dataset_path
from numpy.typing import NDArray
from typer.testing import CliRunner

import ocrl
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts, dataset_folder
from ocrl.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def datasets_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_episodes_hold_what_happened(mode: AutoresetMode) -> None:
    collect(mode)
    dataset = minari.load_dataset("clock/train-v0")
    assert dataset.total_steps >= 16
    episodes = list(dataset.iterate_episodes())
    ended = 0
    for episode in episodes:
        shown = episode.observations["frames"][:, 0, 0]
        length = len(episode.rewards)
        assert (episode.observations["frames"] == shown[:, None, None]).all()
        assert shown[:, 2].tolist() == list(range(length + 1))
        assert len(np.unique(shown[:, :2], axis=0)) == 1
        assert episode.actions.tolist() == list(range(1, length + 1))
        assert episode.rewards.tolist() == list(range(1, length + 1))
        assert not episode.terminations[:-1].any()
        assert not episode.truncations[:-1].any()
        whole = length == (3 if shown[0, 0] == 0 else 4)
        assert episode.terminations[-1] == (whole and shown[0, 0] == 0)
        assert episode.truncations[-1] == (not whole or shown[0, 0] == 1)
        ended += whole
    assert ended >= 3


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_first_steps_are_played_but_not_stored(mode: AutoresetMode) -> None:
    dataset = collect(mode, num_steps=12, skip_first=2)
    assert dataset.total_steps >= 12
    for episode in dataset.iterate_episodes():
        number, _, first = episode.observations["frames"][0, 0, 0].tolist()
        assert first == 2
        assert episode.actions.tolist() == [3, 4][: len(episode.actions)]
        assert len(episode.actions) in (1, 2 if number else 1)


def test_both_autoresets_give_the_same_episodes() -> None:
    first = {
        tuple(episode.observations["frames"][:, 0, 0].ravel())
        for episode in collect(AutoresetMode.NEXT_STEP, num_steps=40).iterate_episodes()
    }
    second = {
        tuple(episode.observations["frames"][:, 0, 0].ravel())
        for episode in collect(
            AutoresetMode.SAME_STEP, num_steps=40, overwrite=True
        ).iterate_episodes()
    }
    assert len(first & second) >= 8


def test_extras_belong_to_their_frames() -> None:
    env = clocks(AutoresetMode.NEXT_STEP)

    def extras() -> dict[str, NDArray[Any]]:
        inner = [wrapped.unwrapped for wrapped in env.envs]
        ids = np.array([7 * e.resets + e.time for e in inner if isinstance(e, Clock)])
        return {
            "segments": np.broadcast_to(ids[:, None, None], (2, 32, 40)).astype(np.uint16),
            "position": ids[:, None].astype(np.float32),
        }

    dataset = collect_rollouts(
        env, time_policy, "clock/train-v0", 20, seed=0, extras=extras, progress=False
    )
    assert dataset.observation_space["segments"].dtype == np.uint16
    for episode in dataset.iterate_episodes():
        frames = episode.observations["frames"].astype(int)
        expected = 7 * frames[..., 1] + frames[..., 2]
        assert (episode.observations["segments"] == expected).all()
        assert (episode.observations["position"][:, 0] == expected[:, 0, 0]).all()


@pytest.mark.parametrize("in_memory", [True, False])
def test_rollouts_are_read_as_videos(in_memory: bool) -> None:
    dataset = collect(AutoresetMode.NEXT_STEP)
    videos = load_rollouts("clock/train-v0", in_memory=in_memory)
    assert not videos.has_segments
    assert videos.lengths.tolist() == [len(e.rewards) + 1 for e in dataset.iterate_episodes()]
    for number, episode in enumerate(dataset.iterate_episodes()):
        read = videos.frames(number, 1, 3)
        assert (read == episode.observations["frames"][1:3]).all()


def test_datasets_of_others_are_read_too() -> None:
    space = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
    frames = np.zeros((5, 40, 40, 3), np.uint8)
    frames[:, :20] = np.arange(5)[:, None, None, None] * 50
    buffer = minari.data_collector.EpisodeBuffer(
        observations=frames,
        actions=np.zeros(4, int),
        rewards=[0.0] * 4,
        terminations=[False] * 4,
        truncations=[False] * 3 + [True],
    )
    for name, jpeg in [("raw-v0", False), ("jpeg-v0", True)]:
        minari.create_dataset_from_buffers(
            name,
            [buffer],
            observation_space=space,
            action_space=gym.spaces.Discrete(2),
            jpeg_encoding=jpeg,
        )
        read = load_rollouts(name).frames(0, 0, 5).astype(int)
        assert np.abs(read - frames).max() <= (8 if jpeg else 0)
    assert (load_rollouts("raw-v0", in_memory=False).frames(0, 2, 4) == frames[2:4]).all()
    with pytest.raises(UsageError, match="in_memory=true"):
        load_rollouts("jpeg-v0", in_memory=False)


def test_the_image_of_a_dict_is_found() -> None:
    image = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
    vector = gym.spaces.Box(-1, 1, (3,), np.float32)
    frames = np.full((3, 40, 40, 3), 7, np.uint8)
    for name, entries, is_read in [
        ("one-v0", {"camera": image, "state": vector}, True),
        ("ours-v0", {"camera": image, "frames": image}, True),
        ("two-v0", {"left": image, "right": image}, False),
        ("none-v0", {"state": vector}, False),
    ]:
        seen = {
            key: np.zeros((3, 3), np.float32) if space is vector else frames * (key != "left")
            for key, space in entries.items()
        }
        if "frames" in seen:
            seen["camera"] = np.zeros_like(frames)
        buffer = minari.data_collector.EpisodeBuffer(
            observations=seen,
            actions=np.zeros(2, int),
            rewards=[0.0] * 2,
            terminations=[False] * 2,
            truncations=[False, True],
        )
        minari.create_dataset_from_buffers(
            name,
            [buffer],
            observation_space=gym.spaces.Dict(entries),
            action_space=gym.spaces.Discrete(2),
            jpeg_encoding=False,
        )
        if is_read:
            for in_memory in (True, False):
                assert (load_rollouts(name, in_memory=in_memory).frames(0, 0, 3) == 7).all()
        else:
            with pytest.raises(UsageError, match="one such entry"):
                load_rollouts(name)


def test_nothing_is_overwritten_unasked() -> None:
    first = collect(AutoresetMode.NEXT_STEP, num_steps=8)
    with pytest.raises(UsageError, match="exists already"):
        collect(AutoresetMode.NEXT_STEP)
    assert minari.load_dataset("clock/train-v0").total_steps == first.total_steps
    collect(AutoresetMode.NEXT_STEP, num_steps=30, overwrite=True)
    assert minari.load_dataset("clock/train-v0").total_steps >= 30


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="NEXT_STEP"):
        collect(AutoresetMode.SAME_STEP, extras=dict)
    with pytest.raises(UsageError, match="autoreset_mode"):
        collect(AutoresetMode.DISABLED)
    with pytest.raises(UsageError, match="name-v<number>"):
        collect_rollouts(clocks(AutoresetMode.NEXT_STEP), time_policy, "no version", 1, seed=0)
    vectors = gym.make_vec("CartPole-v1", num_envs=1)
    with pytest.raises(UsageError, match=r"RGB frames.*render_observation"):
        collect_rollouts(vectors, time_policy, "pole-v0", 1, seed=0)
    with pytest.raises(UsageError, match=r"no dataset gone-v0 .* collect it first"):
        load_rollouts("gone-v0")


def test_the_tools_of_minari_show_what_rollouts_are() -> None:
    envs = clocks(AutoresetMode.NEXT_STEP)
    described = {"description": "clocks in a row", "policy_name": "by the time"}
    collect_rollouts(envs, time_policy, "clock/train-v0", 12, seed=0, progress=False, **described)
    show = CliRunner().invoke(minari_cli.app, ["show", "clock/train-v0"])
    listed = CliRunner().invoke(minari_cli.app, ["list", "local"])
    assert show.exit_code == listed.exit_code == 0, show.output + listed.output
    for words in (*described.values(), f"ocrl {ocrl.__version__}"):
        assert words in show.output
    assert "clock/train" in listed.output


def test_where_minari_keeps_a_dataset_is_told_without_making_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, path in (("MINARI_DATASETS_PATH", tmp_path / "here"), ("HOME", tmp_path / "me")):
        monkeypatch.delenv("MINARI_DATASETS_PATH", raising=False)
        monkeypatch.setenv(variable, str(path))
        folder = dataset_folder("ocrl/maze/train-v0")
        assert not path.exists()
        assert folder == get_dataset_path("ocrl/maze/train-v0")
