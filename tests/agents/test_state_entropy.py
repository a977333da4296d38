"""Novelty against a loop over all states, and an explorer where it is known how far one gets."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate
from ocrl_agents.previous_step import VecPreviousStep
from ocrl_agents.state_entropy import VecStateEntropy
from ocrl_agents.training import make_ppo, train


class Drift(gym.Env[Any, Any]):
    """Tokens at random, rewards of 100; episodes of different lengths."""

    observation_space = gym.spaces.Box(-9, 9, (2, 3), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, length: int) -> None:
        self.length = length

    def _observe(self) -> Any:
        return self.np_random.normal(size=(2, 3)).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self._observe(), 100.0, False, self.time == self.length, {}


class Corridor(gym.Env[Any, Any]):
    """Begins anywhere in a row of cells; reports at the end how many were visited."""

    num_cells, time_limit = 15, 20
    observation_space = gym.spaces.Box(0, 1, (1, 15), np.float32)
    action_space = gym.spaces.Discrete(2)

    def _observe(self) -> Any:
        self.visited.add(self.cell)
        return np.eye(self.num_cells, dtype=np.float32)[[self.cell]]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time, self.visited = 0, set()
        self.cell = int(self.np_random.integers(self.num_cells))
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        self.cell = min(max(self.cell + 2 * int(action) - 1, 0), self.num_cells - 1)
        observation, late = self._observe(), self.time == self.time_limit
        return observation, 0.0, False, late, {"cells": len(self.visited)} if late else {}


def drifts(**kwargs: Any) -> VecStateEntropy:
    return VecStateEntropy(DummyVecEnv([lambda: Drift(4), lambda: Drift(11)]), **kwargs)


def brute_force(episode: list[Any], k: int, window: int) -> float:
    *before, now = episode
    distances = sorted(float(np.sqrt(((now - old) ** 2).sum())) for old in before[-window:])
    return float(np.log(1 + distances[min(k, len(distances)) - 1]))


@pytest.mark.parametrize(("k", "window"), [(1, 500), (3, 500), (3, 5)])
def test_reward_is_that_of_a_loop_over_the_states_of_each_episode(k: int, window: int) -> None:
    venv = drifts(k=k, window=window)
    venv.seed(0)
    shown = venv.reset()
    episodes = [[tokens] for tokens in shown]
    for _ in range(40):
        shown, rewards, dones, _ = venv.step(np.zeros(2, int))
        for i, episode in enumerate(episodes):
            if dones[i]:
                episode.clear()
            episode.append(shown[i])
            expected = 0.0 if dones[i] else brute_force(episode, k, window)
            assert rewards[i] == pytest.approx(expected, rel=1e-5)


def test_what_comes_back_is_worth_nothing() -> None:
    places = iter([[0.0], [3.0], [0.0], [0.0]])
    venv = VecStateEntropy(DummyVecEnv([lambda: Drift(9)]), lambda _: np.array([next(places)]), k=1)
    venv.reset()
    rewards = [float(venv.step(np.zeros(1, int))[1][0]) for _ in range(3)]
    assert rewards == pytest.approx([np.log(4), 0, 0])


def test_other_entries_of_an_observation_are_no_states() -> None:
    alone, beside = (
        VecStateEntropy(wrap(DummyVecEnv([lambda: Drift(9)])))
        for wrap in (lambda venv: venv, VecPreviousStep)
    )
    for venv in (alone, beside):
        venv.seed(3)
        venv.reset()
    for action in (0, 1, 1):
        rewards = [venv.step(np.array([action]))[1] for venv in (alone, beside)]
        assert rewards[0] == rewards[1]


def test_state_is_that_of_an_episode_that_goes_on() -> None:
    venv, other = drifts(), drifts()
    for each in (venv, other):
        each.seed(0)
        each.reset()
    for _ in range(5):
        venv.step(np.zeros(2, int))
    saved = venv.get_state()
    venv.step(np.zeros(2, int))
    other.set_state(saved)
    assert [len(v) for v in other._visited] == [500, 500]
    assert other.get_state()["lengths"].tolist() == [2, 6]
    assert all((other.get_state()[key] == saved[key]).all() for key in saved)
    with pytest.raises(ValueError, match="states of"):
        drifts(window=7).set_state(saved)


@pytest.mark.parametrize("kwargs", [{"k": 0}, {"k": 4, "window": 3}])
def test_neighbours_that_there_are_not(kwargs: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="take k from 1"):
        drifts(**kwargs)


def test_explorer_visits_more_of_a_corridor_than_chance(tmp_path: Any) -> None:
    seeds = list(range(64))

    def cells(player: Any) -> float:
        played = evaluate(player, DummyVecEnv([Corridor] * 16), seeds)
        return float(np.mean([episode.scalars["cells"] for episode in played]))

    generator = np.random.default_rng(0)
    by_chance = cells(lambda shown: generator.integers(2, size=len(shown)))
    venv = VecStateEntropy(DummyVecEnv([Corridor] * 16), k=1)
    model = make_ppo(
        venv, seed=0, lstm_dim=16, n_steps=20, learning_rate=5e-3, extractor_kwargs={"dim": 16}
    )
    train(model, 16_000, tmp_path, progress=False)
    # who never turns sees 8 cells; who turns at the nearer end, which takes a memory, sees 14.9
    assert by_chance < 7
    assert cells(model.policy) > 11
