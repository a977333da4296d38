"""A bonus for new places is what a walker would count, and finds what chance does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate
from ocrl_agents.extractors import MLPExtractor
from ocrl_agents.shared_vec_env import make_shared
from ocrl_agents.training import make_ppo, train
from ocrl_agents.visit_bonus import VecVisitBonus
from ocrl_agents.workers import Workers


class Paid(gym.Env[Any, Any]):
    """Every fourth step brings 2; episodes of a given length."""

    observation_space = spaces.Box(-1, 1, (1, 2), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, length: int) -> None:
        self.length = length

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.time = 0
        return np.zeros((1, 2), np.float32), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        reward = 2.0 if self.time % 4 == 0 else 0.0
        return np.zeros((1, 2), np.float32), reward, False, self.time == self.length, {}


class Corridor(gym.Env[Any, Any]):
    """Begins at one end of a row of cells; what is worth something is at the other.

    Which action leads there is another in every second cell.
    """

    num_cells, time_limit = 23, 24
    observation_space = spaces.Box(0, 1, (1, 2), np.float32)
    action_space = spaces.Discrete(2)

    def _observe(self) -> Any:
        return np.eye(2, dtype=np.float32)[[self.cell % 2]]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time, self.cell = 0, 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        self.cell = max(self.cell + (1 if action == self.cell % 2 else -1), 0)
        found = self.cell == self.num_cells - 1
        return self._observe(), 10.0 * found, found or self.time == self.time_limit, False, {}


def wandering(seed: int = 0) -> Iterator[npt.NDArray[Any]]:
    """Places of three that go about on a plane."""
    generator = np.random.default_rng(seed)
    places = generator.uniform(-2, 2, (3, 2))
    while True:
        yield places
        places = places + generator.uniform(-0.8, 0.8, (3, 2))


def environments() -> DummyVecEnv:
    return DummyVecEnv([lambda: Paid(7), lambda: Paid(12), lambda: Paid(30)])


def stay(venv: Any, number: int) -> list[Any]:
    return [venv.step(np.zeros(venv.num_envs, int)) for _ in range(number)]


@pytest.mark.parametrize("side", [1.0, 0.6])
def test_bonus_is_that_of_a_walker_who_ticks_off_squares(side: float) -> None:
    walk, again = wandering(), wandering()
    paid = VecVisitBonus(environments(), lambda: next(walk), bonus=0.5, side=side)
    plain = environments()
    plain.reset()
    paid.reset()

    def squares() -> list[list[int]]:
        return [[int(x // side), int(y // side)] for x, y in next(again)]

    ticked = [[square] for square in squares()]
    returns, bonuses = np.zeros(3), 0
    for (_, rewards, dones, _), (_, with_bonus, _, infos) in zip(
        stay(plain, 60), stay(paid, 60), strict=True
    ):
        returns += rewards
        for i, square in enumerate(squares()):
            bonus = 0.0 if dones[i] or square in ticked[i] else 0.5
            assert with_bonus[i] - rewards[i] == bonus
            bonuses += bonus > 0
            ticked[i] = [square] if dones[i] else [*ticked[i], square]
            if dones[i]:
                assert infos[i]["episode"]["r"] == returns[i]  # what the environment pays, alone
                returns[i] = 0
    assert bonuses > 20


def test_an_episode_goes_on_with_the_squares_that_it_has_been_in() -> None:
    walk, there = wandering(), np.full((3, 2), 99.0)
    paid = VecVisitBonus(environments(), lambda: next(walk), bonus=0.5)
    other = VecVisitBonus(environments(), lambda: there, bonus=0.5)
    for venv in (paid, other):
        venv.reset()
        stay(venv, 5)
    other.set_state(paid.get_state())
    ahead = [next(walk) for _ in range(8)]
    for venv in (paid, other):
        places = iter(ahead)
        venv._places = lambda places=places: next(places)
    for (_, expected, _, _), (_, rewards, _, _) in zip(stay(paid, 8), stay(other, 8), strict=True):
        assert rewards.tolist() == expected.tolist()


def test_returns_are_the_environments_whoever_counts_them() -> None:
    def make(number: int) -> VecVisitBonus:
        venv = DummyVecEnv([lambda: Paid(8)] * number)
        steps = iter(range(10_000))
        return VecVisitBonus(venv, lambda: np.full((number, 1), next(steps)), bonus=1.0)

    with Workers(2) as workers:
        for venv in (make(2), make_shared(workers, make, 2)):
            model = make_ppo(venv, seed=0, n_steps=8, calibration_steps=0)
            model.learn(32)
            assert {episode["r"] for episode in model.ep_info_buffer or []} == {4.0}


@pytest.mark.parametrize(
    "kwargs", [{"bonus": -1}, {"bonus": float("nan")}, {"bonus": 1, "side": 0}]
)
def test_bonus_that_cannot_be_is_a_line(kwargs: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="take a bonus of at least 0"):
        VecVisitBonus(environments(), lambda: np.zeros((3, 2)), **kwargs)


def found_at_the_end(bonus: float, folder: Path) -> float:
    """Return what agents find in the corridor that were trained with a bonus."""
    venv = DummyVecEnv([Corridor] * 16)
    paid = VecVisitBonus(
        venv, lambda: np.array([[env.unwrapped.cell] for env in venv.envs]), bonus=bonus
    )
    model = make_ppo(
        paid,
        seed=0,
        extractor=MLPExtractor,
        extractor_kwargs={"dim": 16},
        n_steps=24,
        learning_rate=5e-3,
    )
    train(model, 16_000, folder, progress=False)
    played = evaluate(model.policy, DummyVecEnv([Corridor] * 16), list(range(32)))
    return float(np.mean([episode.episode_return for episode in played]))


def test_bonus_finds_the_end_of_a_corridor_that_chance_does_not(tmp_path: Path) -> None:
    assert found_at_the_end(0.0, tmp_path / "without") < 1
    assert found_at_the_end(1.0, tmp_path / "with") > 8
