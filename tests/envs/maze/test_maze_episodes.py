from __future__ import annotations

import numpy as np
import pytest

from ocrl_envs.maze.appearance.objects import GOOD_SHAPES, KINDS
from ocrl_envs.maze.dynamics.stepping import REACH_WEST
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.policies import make_policy
from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.vector import MazeVectorEnv

FORWARD = 2


def things(env: MazeEnv) -> tuple[tuple[int, float, float], ...]:
    """Return kind and place of all things."""
    state = env.simulation.state
    return tuple(
        (int(kind), float(x), float(y))
        for kind, (x, y) in zip(state.kind[0], state.place[0], strict=True)
    )


def start(env: MazeEnv) -> tuple[float, float]:
    x, y = env.simulation.state.position[0]
    return float(x), float(y)


@pytest.mark.parametrize("name", list(LEVELS))
def test_levels_hold_what_they_promise(name: str) -> None:
    level = LEVELS[name]
    env = MazeEnv(level=name, num_layouts=5)
    for seed in range(10):
        env.reset(seed=seed)
        names = [KINDS[kind].name for kind, _, _ in things(env)]
        cells = {(x, y) for _, x, y in things(env)} | {start(env)}
        assert len(cells) == len(names) + 1
        assert names.count("goal") == level.has_goal
        assert len(names) == level.has_goal + level.num_good + level.num_bad
        if level.collects == "apples":
            assert names.count("apple") == level.num_good
            assert names.count("lemon") == level.num_bad
        else:
            good = names[: level.num_good]
            assert all(name.split()[-1] in GOOD_SHAPES for name in good)
            assert not any(name.split()[-1] in GOOD_SHAPES for name in names[level.num_good :])


@pytest.mark.parametrize("fix_goal", [True, False])
def test_fix_goal(fix_goal: bool) -> None:
    env = MazeEnv(num_layouts=3, fix_goal=fix_goal)
    seen = set()
    for seed in range(12):
        env.reset(seed=seed, options={"layout": 1})
        seen.add(things(env))
    assert len(seen) == 1 if fix_goal else len(seen) > 8


@pytest.mark.parametrize("fix_start", [True, False])
def test_fix_start(fix_start: bool) -> None:
    env = MazeEnv(num_layouts=3, fix_start=fix_start)
    seen = set()
    for seed in range(12):
        env.reset(seed=seed, options={"layout": 2})
        seen.add((*start(env), float(env.simulation.state.heading[0])))
    assert len(seen) == 1 if fix_start else len(seen) > 8


@pytest.mark.parametrize("fix_layout", [True, False])
def test_fix_layout(fix_layout: bool) -> None:
    env = MazeEnv(num_layouts=10, fix_layout=fix_layout)
    env.reset(seed=0)
    seen = set()
    for _ in range(30):
        env.reset()
        seen.add(int(env.simulation.state.layout[0]))
    assert seen == {0} if fix_layout else len(seen) > 6


def test_layouts_and_starts_are_drawn_evenly() -> None:
    envs = MazeVectorEnv(200, num_layouts=4)
    envs.reset(seed=0)
    counts = np.bincount(envs.simulation.state.layout, minlength=4)
    assert counts.min() > 30
    headings = np.histogram(envs.simulation.state.heading, 4, (0, 2 * np.pi))[0]
    assert headings.min() > 30


def test_random_goal_levels_start_far_from_the_goal() -> None:
    envs = MazeVectorEnv(200, level="nav_maze_random_goal_1")
    envs.reset(seed=0)
    assert envs.simulation.state.shortest.min() >= 5
    near = MazeVectorEnv(200, level="nav_maze_1")
    near.reset(seed=0)
    assert 1 <= near.simulation.state.shortest.min() < 5


def corridor(**options: int) -> MazeEnv:
    """Return a maze of one corridor: start, apple, goal."""
    layout = Layout.from_text("***********\n*P   A   G*\n***********")
    env = MazeEnv(layouts=[layout], level="nav_maze_1", **options)
    env.reset(seed=0)
    env.simulation.state.heading[0] = 0.0
    return env


def test_rewards_respawn_and_scores() -> None:
    env = corridor()
    state = env.simulation.state
    rewards, steps = [], 0
    while state.goals[0] == 0:
        rewards.append(env.step(FORWARD)[1])
        steps += 1
        assert steps < 50
    assert [reward for reward in rewards if reward] == [1.0, 10.0]
    assert start(env)[0] < 0.6
    assert state.present[0, :2].all()
    scores = env.simulation.summary(0)
    assert scores["success"] is True
    assert scores["goals"] == scores["apples"] == 1
    assert scores["steps_to_goal"] == steps
    # 4 cells, less the reach of the goal, and up to a frame further
    assert 0 < state.travelled[0] - (4 - REACH_WEST) < 0.11
    assert scores["spl"] == 1.0
    env.step(FORWARD)
    assert env.simulation.summary(0)["steps_to_goal"] == steps


def test_spl_counts_detours() -> None:
    env = corridor()
    for action in [FORWARD] * 8 + [3] * 8 + [FORWARD] * 40:
        env.step(action)
        if env.simulation.state.goals[0]:
            break
    scores = env.simulation.summary(0)
    assert 0.4 < scores["spl"] < 0.8
    way = float(env.simulation.state.travelled[0])
    assert scores["spl"] == pytest.approx(4 / way)


def test_bad_things_cost() -> None:
    layout = Layout.from_text("*****\n*P A*\n*****")
    env = MazeEnv(layouts=[layout], level="seekavoid_arena_1")
    env.reset(seed=0)
    state, num_good = env.simulation.state, env.simulation.rules.num_good
    state.present[:] = False
    state.present[0, num_good] = True
    state.place[0, num_good] = 1.5, 0.5
    state.heading[0] = 0.0
    assert sum(env.step(FORWARD)[1] for _ in range(8)) == -1.0
    assert env.simulation.summary(0)["apples"] == 0


def test_episode_ends_by_the_clock_alone() -> None:
    env = MazeEnv(level="seekavoid_arena_1")
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(300)]
    assert ends == [(False, False)] * 299 + [(False, True)]


def test_scores_without_a_goal() -> None:
    env = MazeEnv(level="collect_good_objects")
    env.reset(seed=0)
    frame = env.simulation.draw()
    policy = make_policy("oracle", env)
    for _ in range(300):
        env.step(int(policy(frame)[0]))
    scores = env.simulation.summary(0)
    assert scores.keys() == {"apples"}
    assert scores["apples"] > 4
