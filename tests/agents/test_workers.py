"""Environments that several processes share are those of one process, to the last bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

from ocrl.errors import UsageError
from ocrl.zoo import create_encoder
from ocrl_agents.environment_state import get_environment_state, set_environment_state
from ocrl_agents.evaluation import evaluate
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.shared_vec_env import SharedVecEnv, cores_left_to_workers, make_shared
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation, set_seeds
from ocrl_agents.workers import Workers
from ocrl_envs.maze.vector import MazeVectorEnv

NUM_ENVS, NUM_ACTIONS = 5, 3


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as pool:
        yield pool


def slots(seed: int = 0) -> Callable[[int], VecEnv]:
    """Return what makes mazes seen through an encoder, with what was done before beside it."""
    torch.manual_seed(seed)
    encoder = create_encoder("slotcontrast", image_size=(32, 32))

    def make(num_envs: int) -> VecEnv:
        # episodes of 30 decisions, which end while others go on
        mazes = MazeVectorEnv(
            num_envs, "SAME_STEP", num_layouts=3, image_size=32, action_repeat=30, velocity=True
        )
        return VecPreviousStep(VecSlotObservation(GymnasiumVecEnv(mazes), encoder))

    return make


def play(venv: VecEnv, num_steps: int, first: Any = None) -> list[Any]:
    """Return all that environments show and say while they are played at random."""
    rng = np.random.default_rng(0)
    told = [venv.reset() if first is None else first]
    for _ in range(num_steps):
        told += venv.step(rng.integers(0, NUM_ACTIONS, NUM_ENVS))
    return told


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        np.testing.assert_array_equal(one, other)


def test_they_show_what_one_process_shows(workers: Workers) -> None:
    make = slots()
    alone, shared = make(NUM_ENVS), SharedVecEnv(workers, make, NUM_ENVS)
    assert shared.observation_space == alone.observation_space
    assert shared.action_space == alone.action_space
    for venv in (alone, shared):
        set_seeds(venv, [11, 12, 13, 14, 15])
        venv.set_options([{"layout": i % 3} for i in range(NUM_ENVS)])
    told = play(alone, 70)
    assert any("terminal_observation" in info for step in told[4::4] for info in step)
    assert_same(play(shared, 70), told)
    assert_same(shared.reset_infos, alone.unwrapped.reset_infos)


def test_a_seed_is_a_seed_for_each(workers: Workers) -> None:
    make = slots()
    alone, shared = make(NUM_ENVS), SharedVecEnv(workers, make, NUM_ENVS)
    assert shared.seed(7) == alone.seed(7)
    assert_same(play(shared, 3), play(alone, 3))


def test_state_is_where_another_goes_on(workers: Workers) -> None:
    venv = SharedVecEnv(workers, slots(), NUM_ENVS)
    venv.seed(1)
    told = play(venv, 10)
    state = get_environment_state(venv)
    expected = play(venv, 40, first=told[-4])
    other = SharedVecEnv(workers, slots(), NUM_ENVS)
    other.seed(2)
    other.reset()
    set_environment_state(other, state)
    assert_same(play(other, 40, first=told[-4]), expected)


def test_episodes_of_an_evaluation_are_the_same(workers: Workers) -> None:
    make = slots()

    def act(observations: Any) -> Any:
        return (np.abs(observations["tokens"]).sum((1, 2)) * 1e3).astype(int) % NUM_ACTIONS

    seeds = list(range(7))
    shared = evaluate(act, SharedVecEnv(workers, make, NUM_ENVS), seeds)
    alone = evaluate(act, make(NUM_ENVS), seeds)
    assert_same([each.row() for each in shared], [each.row() for each in alone])


def test_training_is_the_same_and_goes_on(workers: Workers, tmp_path: Path) -> None:
    make = slots()

    def weights(venv: VecEnv, folder: Path, interrupted: bool = False) -> Any:
        model = make_ppo(venv, seed=3, n_steps=16, batch_size=40, n_epochs=1)
        if interrupted:
            updates = iter([model.train, model.train])
            model.train = lambda: next(updates)()  # type: ignore[method-assign]
        train(model, 240, folder, checkpoint_every=80, resume=True, progress=False)
        return load_file(folder / "last.safetensors")

    alone = weights(make(NUM_ENVS), tmp_path / "alone")
    shared = weights(SharedVecEnv(workers, make, NUM_ENVS), tmp_path / "shared")
    parts = {key for key in alone if key.startswith("policy")}
    assert parts
    for key in parts:
        assert torch.equal(alone[key], shared[key]), key
    with pytest.raises(StopIteration):
        weights(SharedVecEnv(workers, make, NUM_ENVS), tmp_path / "resumed", interrupted=True)
    resumed = weights(SharedVecEnv(workers, make, NUM_ENVS), tmp_path / "resumed")
    assert shared.keys() == resumed.keys()
    for key in shared:
        assert torch.equal(shared[key], resumed[key]), key


def test_questions_reach_each_environment(workers: Workers) -> None:
    venv = SharedVecEnv(workers, slots(), NUM_ENVS)
    assert venv.get_attr("num_envs", [0, 4]) == [2, 3]
    venv.set_attr("spoken_to", True)
    assert venv.get_attr("spoken_to") == [True] * NUM_ENVS
    assert len(venv.env_method("reset", indices=[1, 2, 3])) == 3
    assert venv.env_is_wrapped(VecEnv) == [False] * NUM_ENVS
    assert len(venv.get_images()) == NUM_ENVS


def test_indices_choose_environments(workers: Workers) -> None:
    def make(num_envs: int) -> VecEnv:
        class Told(gym.Env[Any, Any]):
            observation_space = action_space = gym.spaces.Discrete(2)
            level = 0

            def set_level(self, level: int) -> int:
                self.level = level
                return level

        return DummyVecEnv([Told] * num_envs)

    venv = SharedVecEnv(workers, make, NUM_ENVS)
    assert venv.env_method("set_level", 7, indices=[4, 1]) == [7, 7]
    venv.set_attr("level", 9, indices=-2)
    assert venv.get_attr("level") == [0, 7, 0, 9, 7]
    assert venv.get_attr("level", [3, 0, 1]) == [9, 0, 7]


def test_environments_outlive_their_processes() -> None:
    with Workers(2) as pool:
        venv = SharedVecEnv(pool, slots(), 2)
    venv.close()


def test_what_is_raised_in_a_process_is_raised_here(workers: Workers) -> None:
    def refuse(num_envs: int) -> VecEnv:
        raise UsageError(f"no {num_envs} environments")

    with pytest.raises(UsageError, match="no 2 environments"):
        SharedVecEnv(workers, refuse, 4)
    venv = SharedVecEnv(workers, slots(), NUM_ENVS)
    venv.reset()
    with pytest.raises(AttributeError, match="nothing_like_it") as caught:
        venv.get_attr("nothing_like_it")
    assert "shared_vec_env" in "".join(caught.value.__notes__)
    assert len(venv.step(np.zeros(NUM_ENVS, int))) == 4, "the processes go on"


def test_numbers_that_cannot_be(workers: Workers) -> None:
    with pytest.raises(UsageError, match="0 workers do nothing: take 1"):
        Workers(0)
    with pytest.raises(UsageError, match="1 environments cannot be shared by 2 workers"):
        SharedVecEnv(workers, slots(), 1)


def test_one_worker_is_this_process() -> None:
    with Workers(1) as none:
        venv = make_shared(none, slots(), 2)
        assert len(none) == 0
        assert not isinstance(venv, SharedVecEnv)


def test_a_process_that_dies_is_one_line() -> None:
    def die(num_envs: int) -> VecEnv:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with Workers(2) as pool:
        with pytest.raises(UsageError, match="worker 1 of 2 ended with exit code -9"):
            SharedVecEnv(pool, die, 2)
        with pytest.raises(UsageError, match="worker 1 of 2 ended"):
            SharedVecEnv(pool, die, 2)


def test_playing_leaves_the_cores_to_the_workers(workers: Workers) -> None:
    shared, alone = SharedVecEnv(workers, slots(), NUM_ENVS), slots()(2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for venv, expected in ((VecMonitor(shared), 1), (VecMonitor(alone), 2)):
            with cores_left_to_workers(venv):
                assert torch.get_num_threads() == expected
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_processes_share_the_cores(workers: Workers) -> None:
    def make(num_envs: int) -> VecEnv:
        class Told(VecPreviousStep):
            def env_method(self, *args: Any, **kwargs: Any) -> list[Any]:
                return [sorted(os.sched_getaffinity(0))] * num_envs

        return Told(slots()(num_envs).venv)

    cores = sorted(os.sched_getaffinity(0))
    first, second = SharedVecEnv(workers, make, 2).env_method("cores")
    assert first == cores[0::2]
    assert second == (cores[1::2] or cores[1 % len(cores) :][:1])
