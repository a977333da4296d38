from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ocrl_envs.errors import UsageError
from ocrl_envs.generators import get_generator, set_generator
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.vector import MazeVectorEnv
from ocrl_envs.protocols import HasState


def play(envs: MazeVectorEnv, actions: Any) -> list[Any]:
    """Return all that comes of actions (T, N), as arrays."""
    steps = [envs.step(each) for each in actions]
    return [[*step[:4], step[4].get("final_info", step[4])] for step in steps]


@pytest.mark.parametrize(
    ("level", "mode"),
    [
        ("nav_maze_random_goal_1", "SAME_STEP"),
        ("collect_good_objects", "NEXT_STEP"),
        ("seekavoid_arena_1", "SAME_STEP"),
    ],
)
def test_mazes_go_on_as_if_nothing_had_happened(level: str, mode: str) -> None:
    def make() -> MazeVectorEnv:
        return MazeVectorEnv(
            3, mode, level=level, num_layouts=2, looks="by_episode", image_size=16, action_repeat=9
        )

    # from the midst of the first episode into the second
    actions = np.random.default_rng(0).integers(0, 8, (LEVELS[level].num_steps // 9 + 12, 3))
    half = len(actions) - 30
    whole = make()
    whole.reset(seed=7)
    play(whole, actions[:half])
    state = whole.get_state()
    assert isinstance(whole, HasState)
    expected = play(whole, actions[half:])

    other = make()
    other.reset(seed=8)
    other.set_state(state)
    np.testing.assert_equal(play(other, actions[half:]), expected)
    assert sum(len(scores) > 0 for *_, scores in expected) == 1, "an episode ends on the way"


def test_a_single_maze_goes_on_too() -> None:
    env, other = MazeEnv(num_layouts=1), MazeEnv(num_layouts=1, render_mode="rgb_array")
    env.reset(seed=1)
    env.step(2)
    other.set_state(env.get_state())
    np.testing.assert_array_equal(env.step(2)[0], other.step(2)[0])
    assert other.render() is not None


FORGED = {
    "layout": 2,
    "picture": 999,
    "style": -1,
    "kind": 10**6,
    "position": 1e6,
    "velocity": np.nan,
    "place": -3,
}


@pytest.mark.parametrize("name", FORGED)
def test_what_the_loops_would_index_with_is_checked(name: str) -> None:
    envs = MazeVectorEnv(2, num_layouts=2)
    envs.reset(seed=0)
    state, before = envs.get_state(), envs.get_state()
    state["goals"] += 1
    state[name].flat[-1] = FORGED[name]
    with pytest.raises(UsageError, match=f"{name} out of range") as error:
        envs.set_state(state)
    assert "\n" not in str(error.value)
    np.testing.assert_equal(envs.get_state(), before)


def test_the_state_of_others_is_refused() -> None:
    envs = MazeVectorEnv(2, num_layouts=1)
    with pytest.raises(UsageError, match="not uint64"):
        envs.set_state(MazeVectorEnv(3, num_layouts=1).get_state())
    with pytest.raises(UsageError, match="not nothing"):
        envs.set_state({})


def test_generators_go_on() -> None:
    generator, other = np.random.default_rng(1), np.random.default_rng(2)
    generator.integers(0, 9, 5, dtype=np.uint8)  # leaves half a word behind
    set_generator(other, get_generator(generator))
    for _ in range(3):
        a, b = (each.integers(0, 2**32, 3, dtype=np.uint32) for each in (generator, other))
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UsageError, match="MT19937"):
        get_generator(np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(UsageError, match=r"uint64 \(6,\)"):
        set_generator(other, np.zeros(3))
