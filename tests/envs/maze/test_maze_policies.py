from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.distances import fill_distances
from ocrl_envs.maze.policies import POLICIES, make_policy
from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.vector import MazeVectorEnv


def visited_cells(name: str, level: str, steps: int) -> float:
    """Return how many cells a policy sees, mean over mazes."""
    envs = MazeVectorEnv(16, level=level)
    frames, _ = envs.reset(seed=0)
    policy = make_policy(name, envs, seed=0)
    cells: list[set[tuple[int, int]]] = [set() for _ in range(16)]
    for _ in range(steps):
        frames = envs.step(policy(frames))[0]
        for seen, (x, y) in zip(cells, envs.simulation.state.position, strict=True):
            seen.add((int(x), int(y)))
    return float(np.mean([len(seen) for seen in cells]))


def test_order_of_coverage() -> None:
    random, wandering, follower = (
        visited_cells(name, "nav_maze_2", 300) for name in ("random", "wandering", "wall_follower")
    )
    assert 1.3 * random < wandering < follower


@pytest.mark.parametrize("level", [name for name in LEVELS if LEVELS[name].has_goal])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_oracle_reaches_the_goal(level: str, split: str) -> None:
    envs = MazeVectorEnv(10, level=level, split=split)
    numbers = np.random.default_rng(0).choice(len(envs.simulation.layouts), 10, replace=False)
    frames, _ = envs.reset(seed=0, options={"layout": numbers})
    policy = make_policy("oracle", envs)
    shortest = envs.simulation.state.shortest.copy()
    limit = int(12 * shortest.max() + 60)
    for _ in range(limit):
        frames = envs.step(policy(frames))[0]
        if (envs.simulation.state.goals > 0).all():
            break
    scores = [envs.simulation.summary(index) for index in range(10)]
    assert all(score["success"] for score in scores)
    # it leaves the shortest way for apples that pay
    assert np.mean([score["spl"] for score in scores]) > 0.8


def test_oracle_drives_faster_than_walking_straight_allows() -> None:
    envs = MazeVectorEnv(10, level="nav_maze_1", split="test", image_size=8)
    frames, _ = envs.reset(seed=0, options={"layout": list(range(10))})
    policy = make_policy("oracle", envs)
    total = np.zeros(10)
    for _ in range(300):
        frames, rewards, *_ = envs.step(policy(frames))
        total += rewards
    assert total.mean() > 95


@pytest.mark.parametrize("level", ["seekavoid_arena_1", "collect_good_objects"])
def test_oracle_collects_good_things_and_spares_bad_ones(level: str) -> None:
    envs = MazeVectorEnv(8, level=level)
    frames, _ = envs.reset(seed=0)
    policy = make_policy("oracle", envs)
    total = np.zeros(8)
    for _ in range(299):
        frames, rewards, *_ = envs.step(policy(frames))
        total += rewards
    assert total.mean() > 7
    assert total.mean() > 0.8 * envs.simulation.state.apples.mean()


def test_no_bad_thing_keeps_the_oracle_from_a_good_one() -> None:
    # in some of these, good things lie behind bad ones that no way leads around
    envs = MazeVectorEnv(12, level="collect_good_objects", split="test", image_size=8)
    frames, _ = envs.reset(seed=1, options={"layout": list(range(12))})
    policy = make_policy("oracle", envs)
    for _ in range(envs.simulation.level.num_steps):
        envs.simulation.step(policy(frames), np.ones(12, np.bool_))
    np.testing.assert_array_equal(envs.simulation.state.apples, envs.simulation.rules.num_good)


def test_oracle_takes_bad_things_that_pay_and_slides_into_no_other(tmp_path: Path) -> None:
    corridor = tmp_path / "corridor.txt"
    corridor.write_text("*****************\n*               *\n*****************\n")
    # cells of good things, of bad ones, and how many of each are to be taken
    cases = [((5,), (3,), 1, 1), ((6,), (3, 4), 0, 0), ((5, 6), (3, 4), 2, 2), ((2,), (3,), 1, 0)]
    envs = MazeVectorEnv(len(cases), level="collect_good_objects", layouts=[corridor], image_size=8)
    frames, _ = envs.reset(seed=0)
    state, rules = envs.simulation.state, envs.simulation.rules
    state.kind[:], state.present[:] = -1, False
    state.position[:] = 0.5
    for i, (good, bad, _, _) in enumerate(cases):
        for first, cells, kinds in (
            (0, good, rules.good_kinds),
            (rules.num_good, bad, rules.bad_kinds),
        ):
            things = slice(first, first + len(cells))
            state.kind[i, things], state.present[i, things] = kinds[0], True
            state.place[i, things, 0], state.place[i, things, 1] = np.array(cells) + 0.5, 0.5
    policy = make_policy("oracle", envs)
    total = np.zeros(len(cases))
    for _ in range(120):
        total += envs.simulation.step(policy(frames), np.ones(len(cases), np.bool_))
    np.testing.assert_array_equal(state.apples, [case[2] for case in cases])
    np.testing.assert_array_equal(total, [case[2] - case[3] for case in cases])


@pytest.mark.parametrize("repeat", [2, 3])
def test_oracle_plans_for_actions_that_are_held(repeat: int) -> None:
    envs = MazeVectorEnv(4, level="nav_maze_1", image_size=8, action_repeat=repeat)
    frames, _ = envs.reset(seed=0)
    policy = make_policy("oracle", envs)
    total = np.zeros(4)
    for _ in range(300 // repeat):
        total += envs.simulation.step(policy(frames), np.ones(4, np.bool_))
    assert total.mean() > 60


def test_wall_follower_keeps_the_wall_on_its_right() -> None:
    envs = MazeVectorEnv(1, level="nav_maze_1", num_layouts=1)
    frames, _ = envs.reset(seed=0)
    policy = make_policy("wall_follower", envs)
    cells = []
    for _ in range(600):
        frames = envs.step(policy(frames))[0]
        x, y = envs.simulation.state.position[0]
        if not cells or cells[-1] != (int(y), int(x)):
            cells.append((int(y), int(x)))
    # it comes round again: the walls it follows are finite
    half = len(cells) // 2
    assert set(cells[half:]) <= set(cells)
    assert len(cells) > 1.5 * len(set(cells))


@pytest.mark.parametrize("name", list(POLICIES))
def test_policies_are_seeded_and_fit_single_and_batch(name: str) -> None:
    actions = []
    for _ in range(2):
        envs = MazeVectorEnv(3, num_layouts=2)
        frames, _ = envs.reset(seed=0)
        policy = make_policy(name, envs, seed=1)
        taken = []
        for _ in range(20):
            taken.append(policy(frames))
            frames = envs.step(taken[-1])[0]
        actions.append(np.stack(taken))
    np.testing.assert_array_equal(*actions)
    assert actions[0].shape == (20, 3)
    env = gymnasium.make("ocrl_envs:ocrl/NavMaze-v0", num_layouts=1)
    frame, _ = env.reset(seed=0)
    assert env.action_space.contains(make_policy(name, env)(frame[None])[0])


def test_bad_names_and_worlds_get_one_line() -> None:
    with pytest.raises(UsageError, match="no policy 'wandring': choose 'wandering'"):
        make_policy("wandring", MazeEnv(num_layouts=1))
    with pytest.raises(UsageError, match="not in CartPoleEnv"):
        make_policy("oracle", gymnasium.make("CartPole-v1"))


def test_distances_go_around_blocked_cells() -> None:
    horizontal, vertical = np.full((4, 3), -1, np.int16), np.full((3, 4), -1, np.int16)
    horizontal[[0, -1]] = vertical[:, [0, -1]] = 0
    targets, blocked = np.zeros((3, 3), np.bool_), np.zeros((3, 3), np.bool_)
    targets[0, 0] = blocked[0, 1] = blocked[1, 1] = True
    steps = np.empty((3, 3), np.int32)
    fill_distances(horizontal, vertical, targets, blocked, steps)
    np.testing.assert_array_equal(steps, [[0, -1, 6], [1, -1, 5], [2, 3, 4]])
