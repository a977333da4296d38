"""A memory of places is what a walker would have written down, and is of use."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from ocrl.errors import UsageError
from ocrl_agents.evaluation import evaluate
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
    # around the same environments, so that both see the same step
    other = VecPlaceMemory(venv.venv, 4)
    other.set_state(venv.get_state())
    kept = other.get_state()
    assert (kept["rewards"] != 0).any()
    for name, array in venv.get_state().items():
        np.testing.assert_array_equal(kept[name], array)
    with pytest.raises(ValueError, match="places"):
        VecPlaceMemory(DummyVecEnv([Drifting] * 2), 5).set_state(venv.get_state())


class Corridor(gym.Env[Any, Any]):
    """Five cells; one end pays and the other costs, all episode, and both put one in the middle.

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
        reward = 0.0
        if self.x in (0, 4):
            reward, self.x = (1.0 if self.x == self.goal else -1.0), 2
        return self._observe(), reward, False, self.time == 30, {}


def test_a_policy_learns_to_go_back(tmp_path: Any) -> None:
    """Who remembers has 13 to 15 in 30 steps, wherever the goal is; who does not, 0 on average."""
    venv = VecPlaceMemory(DummyVecEnv([Corridor] * 16), 2)
    model = make_ppo(venv, seed=0, n_steps=32, n_epochs=8, extractor=MLPExtractor)
    train(model, 14_000, tmp_path, eval_every=0, progress=False)
    episodes = evaluate(model.policy, VecPlaceMemory(DummyVecEnv([Corridor] * 16), 2), range(32))
    returns = np.sort([episode.episode_return for episode in episodes])
    assert returns[:8].mean() > 6


def test_environments_without_a_pose_are_refused() -> None:
    class Blind(Drifting):
        observation_space = spaces.Dict({"tokens": SPACE["tokens"]})

    with pytest.raises(UsageError, match=r"agent\.place_memory=2 .* env\.pose=true"):
        VecPlaceMemory(DummyVecEnv([Blind]), 2)
    with pytest.raises(UsageError, match="at least one place"):
        VecPlaceMemory(DummyVecEnv([Drifting]), 0)


class Turned(Drifting):
    """The same walk on a map that is turned and shifted."""

    def __init__(self, angle: float, shift: float) -> None:
        self.angle, self.shift = angle, shift

    def _observe(self) -> Any:
        observation = super()._observe()
        x, y, cos, sin = observation["pose"].astype(float)
        c, s = np.cos(self.angle), np.sin(self.angle)
        place = x * c - y * s + self.shift, x * s + y * c - self.shift
        return {**observation, "pose": pose(*place, np.arctan2(sin, cos) + self.angle)}


def test_what_is_told_does_not_depend_on_how_the_map_lies() -> None:
    told = []
    for angle, shift in ((0.0, 0.0), (1.1, 5.0)):
        turned = partial(Turned, angle, shift)
        venv = VecPlaceMemory(DummyVecEnv([turned]), 3)
        venv.seed(0)
        venv.reset()
        told.append([venv.step(np.zeros(1, int))[0][PLACES] for _ in range(8)])
    np.testing.assert_allclose(told[0], told[1], atol=1e-4)
    assert np.any(told[0])
