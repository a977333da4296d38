"""A memory of places is what a walker would have written down, and is of use."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate, mean_scores
from ocrl_agents.extractors import MLPExtractor
from ocrl_agents.place_memory import PLACES, VecPlaceMemory
from ocrl_agents.training import make_ppo, train

SPACE = spaces.Dict(
    {"tokens": spaces.Box(-1, 1, (1, 2)), "pose": spaces.Box(-np.inf, np.inf, (4,))}
)


def pose(x: float, y: float, heading: float) -> Any:
    return np.array([x, y, np.cos(heading), np.sin(heading)], np.float32)


class Drifting(gym.Env[Any, Any]):
    """Anywhere at any time; every third step brings something; odd episodes end, even are cut."""

    observation_space = SPACE
    action_space = spaces.Discrete(2)
    episode = 0

    def _observe(self) -> Any:
        x, y = self.np_random.uniform(0, 4, 2)
        here = pose(x, y, self.np_random.uniform(0, 7))
        return {"tokens": self.np_random.random((1, 2), np.float32), "pose": here}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time, self.episode = 0, self.episode + 1
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        reward = float(self.np_random.choice([-1, 1, 2, 10])) if self.time % 3 else 0.0
        over, odd = self.time == 9, self.episode % 2 == 1
        return self._observe(), reward, over and odd, over and not odd, {}


def written_down(notes: list[tuple[Any, float]], here: Any, number: int) -> Any:
    """Return what a walker's notes, (place, reward) in order of time, say at a pose."""
    kept: list[tuple[Any, float]] = []
    for place, reward in notes:
        kept = [note for note in kept if np.linalg.norm(note[0] - place) >= 1]
        kept = sorted([(place, reward), *kept], key=lambda note: -note[1])[:number]
    rows = np.zeros((number, 4))
    heading = np.arctan2(here[3], here[2])
    for row, (place, reward) in zip(rows, kept, strict=False):
        east, south = place - here[:2]
        bearing = np.arctan2(south, east) - heading
        row[:] = reward, 1 / (1 + np.hypot(east, south)), np.sin(bearing), np.cos(bearing)
    return rows


@pytest.mark.parametrize("number", [1, 3, 8])
def test_it_tells_what_a_walker_would_have_written_down(number: int) -> None:
    plain, told = DummyVecEnv([Drifting] * 3), VecPlaceMemory(DummyVecEnv([Drifting] * 3), number)
    for venv in (plain, told):
        venv.seed(0)
    seen, shown = plain.reset(), told.reset()
    notes: list[list[Any]] = [[], [], []]
    for _ in range(40):
        assert told.observation_space.contains({key: value[0] for key, value in shown.items()})
        before = seen["pose"].copy()
        seen, rewards, dones, infos = plain.step(np.zeros(3, int))
        shown, _, _, told_infos = told.step(np.zeros(3, int))
        for i, done in enumerate(dones):
            if rewards[i]:
                notes[i].append((before[i, :2], rewards[i]))
            if done:
                last = infos[i]["terminal_observation"]["pose"]
                final = told_infos[i]["terminal_observation"]
                expected = written_down(notes[i], last, number)
                np.testing.assert_allclose(final[PLACES], expected, atol=1e-5)
                assert "pose" not in final
                notes[i] = []
            expected = written_down(notes[i], seen["pose"][i], number)
            np.testing.assert_allclose(shown[PLACES][i], expected, atol=1e-5)
        np.testing.assert_array_equal(shown["tokens"], seen["tokens"])
    assert "pose" not in shown


def test_it_goes_on_from_its_state() -> None:
    venv = VecPlaceMemory(DummyVecEnv([Drifting] * 2), 4)
    venv.seed(1)
    venv.reset()
    for _ in range(5):
        venv.step(np.zeros(2, int))
    other = VecPlaceMemory(DummyVecEnv([Drifting] * 2), 4)
    other.venv = venv.venv
    other.set_state(venv.get_state())
    step = venv.venv.step(np.zeros(2, int))
    venv.venv.step_wait = lambda: step  # type: ignore[method-assign]
    np.testing.assert_array_equal(other.step_wait()[0][PLACES], venv.step_wait()[0][PLACES])
    with pytest.raises(ValueError, match="places"):
        VecPlaceMemory(DummyVecEnv([Drifting] * 2), 5).set_state(venv.get_state())


class Corridor(gym.Env[Any, Any]):
    """Five cells; the goal is at one end for the whole episode, and puts the agent in the middle.

    Nothing shows which end, and nothing but the pose says where the agent is.
    """

    observation_space = SPACE
    action_space = spaces.Discrete(2)

    def _observe(self) -> Any:
        return {"tokens": np.ones((1, 2), np.float32), "pose": pose(self.x, 0, 0)}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.goal, self.x, self.time = int(self.np_random.integers(2)) * 4, 2, 0
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.x = int(np.clip(self.x + 2 * action - 1, 0, 4))
        self.time += 1
        reward = float(self.x == self.goal)
        if reward:
            self.x = 2
        return self._observe(), reward, False, self.time == 30, {}


def test_a_policy_learns_to_go_back(tmp_path: Any) -> None:
    """Who remembers has up to 13 goals in 30 steps; who does not, 7.5 at best, by one way for good.

    Of 30 steps in one direction half of the episodes have 15 goals, the others none.
    """
    venv = VecPlaceMemory(DummyVecEnv([Corridor] * 16), 2)
    model = make_ppo(venv, seed=0, n_steps=32, n_epochs=8, extractor=MLPExtractor)
    train(model, 14_000, tmp_path, eval_every=0, progress=False)
    episodes = evaluate(model.policy, VecPlaceMemory(DummyVecEnv([Corridor] * 16), 2), range(32))
    scores = mean_scores(episodes)
    assert scores["return"] > 8.5
    assert scores["return_second_half"] > 1.1 * scores["return_first_half"]


def test_environments_without_a_pose_are_refused() -> None:
    class Blind(Drifting):
        observation_space = spaces.Dict({"tokens": SPACE["tokens"]})

    with pytest.raises(UsageError, match=r"agent\.place_memory=2 .* env\.pose=true"):
        VecPlaceMemory(DummyVecEnv([Blind]), 2)
    with pytest.raises(UsageError, match="at least one place"):
        VecPlaceMemory(DummyVecEnv([Drifting]), 0)


def test_places_are_the_same_however_the_world_is_turned() -> None:
    """What it tells is seen from the agent: a turned and shifted map changes nothing."""
    rng = np.random.default_rng(0)
    angle, shift = 1.1, np.array([5.0, -2.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    told = []
    for matrix, offset, extra in ((np.eye(2), np.zeros(2), 0.0), (turn, shift, angle)):
        rng = np.random.default_rng(0)
        venv = VecPlaceMemory(DummyVecEnv([Drifting]), 3)
        poses = [(rng.uniform(0, 4, 2), rng.uniform(0, 7)) for _ in range(6)]
        seen = [pose(*(matrix @ place + offset), heading + extra)[None] for place, heading in poses]
        inner = venv.venv
        inner.reset = lambda seen=seen: {"tokens": np.ones((1, 1, 2)), "pose": seen[0]}  # type: ignore[method-assign]
        shown = [venv.reset()[PLACES]]
        for (before, after), reward in zip(itertools.pairwise(seen), [1, 0, 10, 1, 3], strict=True):
            del before
            inner.step_wait = lambda after=after, reward=reward: (  # type: ignore[method-assign]
                {"tokens": np.ones((1, 1, 2)), "pose": after},
                np.array([float(reward)]),
                np.array([False]),
                [{}],
            )
            shown.append(venv.step_wait()[0][PLACES])
        told.append(np.stack(shown))
    np.testing.assert_allclose(told[0], told[1], atol=1e-5)
    assert (told[0] != 0).any()
