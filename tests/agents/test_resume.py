"""A training that is interrupted and goes on is the one that was not, to the last bit."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ocrl.errors import UsageError
from ocrl.wrappers import VectorSlotObservation
from ocrl_agents.checkpoints import TRAINING, read_agent
from ocrl_agents.environment_state import get_environment_state, set_environment_state
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.ground_truth import GroundTruthObservation
from ocrl_agents.place_memory import VecPlaceMemory
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_envs.generators import get_generator, set_generator
from ocrl_envs.maze.vector import MazeVectorEnv

TOTAL, EVERY, ROLLOUT = 192, 64, 32
"""Steps of a run, between two checkpoints, and between two updates."""


def mazes(mode: str = "SAME_STEP") -> MazeVectorEnv:
    """Two mazes whose episodes of 30 steps end in rollouts of 16, not with them."""
    return MazeVectorEnv(2, mode, num_layouts=3, image_size=16, action_repeat=30)


def truth() -> VecEnv:
    envs = GroundTruthObservation(mazes("DISABLED"), lambda envs: envs.unwrapped.describe())
    return VecPreviousStep(GymnasiumVecEnv(envs))


def places() -> VecEnv:
    apples = {"level": "seekavoid_arena_1", "action_repeat": 10, "image_size": 16, "pose": True}
    envs = MazeVectorEnv(2, "DISABLED", **apples)
    shown = GroundTruthObservation(envs, lambda envs: envs.unwrapped.describe(), ["pose"])
    return VecPlaceMemory(GymnasiumVecEnv(shown), 3)


def slots(encoder: Any) -> VecEnv:
    return VecSlotObservation(GymnasiumVecEnv(mazes()), encoder())


def slots_below(encoder: Any) -> VecEnv:
    return GymnasiumVecEnv(VectorSlotObservation(mazes(), encoder()))


def frames(encoder: Any) -> VecEnv:
    return VecFrameObservation(GymnasiumVecEnv(mazes()), encoder())


class Saved:
    """What makes an environment that can be saved of one that cannot."""

    def get_state(self: Any) -> dict[str, Any]:
        own = {"time": np.array(self.time), "episode": np.array(self.episode)}
        return {**own, "generator": get_generator(self.np_random)}

    def set_state(self: Any, state: Any) -> None:
        self.time, self.episode = int(state["time"]), int(state["episode"])
        set_generator(self.np_random, state["generator"])


def flickers(flicker: Any, encoder: Any, *bases: type) -> VecEnv:
    cls = type("Own", (*bases, flicker), {})

    def make(index: int) -> Callable[[], Any]:
        return lambda: gym.wrappers.TimeLimit(cls(index), 4)

    envs = SyncVectorEnv([make(0), make(1)], autoreset_mode=AutoresetMode.SAME_STEP)
    return VecSlotObservation(GymnasiumVecEnv(envs), encoder())


def monitored(flicker: Any, encoder: Any) -> VecEnv:
    cls = type("Own", (Saved, flicker), {})
    envs = [lambda i=i: Monitor(gym.wrappers.TimeLimit(cls(i), 4)) for i in range(2)]
    return VecSlotObservation(DummyVecEnv(envs), encoder())


class InterruptionError(Exception):
    """Comes in the midst of an update."""


def run(
    venv: VecEnv, folder: Path, *, evaluation: Any, stop: Any = None, at: int = 5, **settings: Any
) -> None:
    """Train, or go on; in the update of that number `stop` is called."""
    torch.set_num_threads(1)
    settings = {"calibration_steps": 4, **settings}
    model = make_ppo(venv, seed=3, n_steps=ROLLOUT // 2, batch_size=16, n_epochs=1, **settings)
    update, count = model.train, 0

    def counted() -> None:
        nonlocal count
        count += 1
        if stop is not None and count == at:
            stop()
        update()

    model.train = counted  # type: ignore[method-assign]
    train(
        model,
        TOTAL,
        folder,
        evaluations={"validation": evaluation},
        eval_every=96,
        eval_episodes=2,
        checkpoint_every=EVERY,
        resume=True,
        progress=False,
    )


def interrupt() -> None:
    raise InterruptionError


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def scramble() -> None:
    # files of events are read in the order of the seconds that they are named by
    time.sleep(1 - time.time() % 1)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(99)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in rows]


CLOCK = {"time/fps", "time/time_elapsed"}


def events(folder: Path) -> dict[str, list[tuple[int, str]]]:
    seen = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    tags = set(seen.Tags()["scalars"]) - CLOCK
    return {tag: [(e.step, str(e.value)) for e in seen.Scalars(tag)] for tag in tags}


def assert_same(folder: Path, other: Path) -> None:
    for name in ("last", "previous", "best"):
        agent, wanted = (read_agent(each / f"{name}.safetensors") for each in (folder, other))
        # as text: nan is the same as nan
        assert json.dumps(agent.header) == json.dumps(wanted.header)
        assert agent.tensors.keys() == wanted.tensors.keys()
        for key, tensor in agent.tensors.items():
            assert torch.equal(tensor, wanted.tensors[key]), key
    assert table(folder) == table(other)
    assert len({row["step"] for row in table(other)}) == len(table(other))
    assert events(folder) == events(other)


KINDS: dict[str, tuple[Callable[..., VecEnv], dict[str, Any]]] = {
    "truth": (lambda **_: truth(), {}),
    "memory": (lambda **_: truth(), {"lstm_dim": 8}),
    "places": (lambda **_: places(), {}),
    "slots": (lambda encoder, **_: slots(encoder), {}),
    "slots of Gymnasium": (lambda encoder, **_: slots_below(encoder), {"lstm_dim": 8}),
    "trained encoder": (lambda encoder, **_: frames(encoder), {}),
    "environments of others": (
        lambda encoder, flicker: flickers(flicker, encoder, Saved),
        {"calibration_steps": 0},
    ),
    "environments of stable-baselines3": (
        lambda encoder, flicker: monitored(flicker, encoder),
        {},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted(
    kind: str, recurrent_encoder: Any, flicker: Any, tmp_path: Path
) -> None:
    make, settings = KINDS[kind]

    def start(name: str, stop: Any = None) -> None:
        both = [make(encoder=recurrent_encoder, flicker=flicker) for _ in range(2)]
        if kind == "trained encoder":
            both[1].encoder = both[1].stream.encoder = both[0].encoder
        run(both[0], tmp_path / name, evaluation=both[1], stop=stop, **settings)

    start("whole")
    with pytest.raises(InterruptionError):
        start("resumed", interrupt)
    before = read_agent(tmp_path / "resumed" / "last.safetensors")
    assert before.header["num_timesteps"] == 128
    assert any(key.startswith(TRAINING) for key in before.tensors)
    scramble()
    start("resumed")
    assert_same(tmp_path / "whole", tmp_path / "resumed")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_to_observations_changes_none_that_come_later(
    kind: str, recurrent_encoder: Any, flicker: Any
) -> None:
    def play(spoils: bool) -> list[Any]:
        venv = KINDS[kind][0](encoder=recurrent_encoder, flicker=flicker)
        venv.seed(5)
        shown: Any = venv.reset()
        infos: list[Any] = []
        seen: list[Any] = []
        for _ in range(33):
            finals = [e["terminal_observation"] for e in infos if "terminal_observation" in e]
            for each in (shown, *finals):
                entries = each.values() if isinstance(each, dict) else [each]
                seen += [entry.copy() for entry in entries]
                for entry in entries:
                    entry[:] = 1 if spoils else entry
            shown, _, _, infos = venv.step(np.ones(2, np.int64))
        return seen

    for spoilt, intact in zip(play(True), play(False), strict=True):
        np.testing.assert_array_equal(spoilt, intact)


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    run(truth(), tmp_path / "whole", evaluation=truth())
    process = multiprocessing.get_context("fork").Process(
        target=run,
        args=(truth(), tmp_path / "resumed"),
        kwargs={"evaluation": truth(), "stop": kill},
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    scramble()
    run(truth(), tmp_path / "resumed", evaluation=truth())
    assert_same(tmp_path / "whole", tmp_path / "resumed")


def test_who_has_no_state_meets_new_episodes(
    recurrent_encoder: Any, flicker: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(stop: Any = None) -> None:
        both = [flickers(flicker, recurrent_encoder) for _ in range(2)]
        run(both[0], tmp_path, evaluation=both[1], stop=stop)

    with pytest.raises(InterruptionError):
        start(interrupt)
    assert capsys.readouterr().err == ""
    start()
    path = tmp_path / "last.safetensors"
    assert capsys.readouterr().err == (
        f"{path} was saved without environments (Own has no get_state): new episodes begin\n"
    )
    assert read_agent(path).header["num_timesteps"] == TOTAL


def test_agents_of_the_format_before_go_on_with_new_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InterruptionError):
        run(truth(), tmp_path, evaluation=truth(), stop=interrupt)
    path = tmp_path / "last.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]  # who changes a file on purpose leaves no trace
    tensors = {k: v for k, v in load_file(path).items() if not k.startswith(TRAINING)}
    save_file(tensors, path, {**metadata, "version": "2"})
    run(truth(), tmp_path, evaluation=truth())
    error = capsys.readouterr().err
    assert (
        error == f"{path} was saved without environments and random numbers: new episodes begin\n"
    )


def test_the_state_of_other_environments_is_refused(recurrent_encoder: Any, flicker: Any) -> None:
    for first, second in (
        (slots(recurrent_encoder), truth()),
        (truth(), slots(recurrent_encoder)),
        (truth(), flickers(flicker, recurrent_encoder, Saved)),
    ):
        first.reset()
        with pytest.raises(UsageError) as error:
            set_environment_state(second, get_environment_state(first))
        assert "\n" not in str(error.value)
