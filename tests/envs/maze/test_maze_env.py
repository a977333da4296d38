from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.objects import COLOURS, KINDS, SHAPES, is_held_out, solid_numbers
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.splits import split_of_hash
from ocrl_envs.maze.rendering.views import OBJECT
from ocrl_envs.maze.task.levels import LEVELS
from ocrl_envs.maze.task.shifts import condition


@pytest.mark.parametrize("level", list(LEVELS))
def test_gymnasium_accepts_it(level: str) -> None:
    env = gymnasium.make("ocrl_envs:ocrl/NavMaze-v0", level=level, num_layouts=2)
    check_env(env.unwrapped)


def rollout_digest(env: MazeEnv, seed: int, steps: int) -> str:
    rng = np.random.default_rng(seed)
    digest = hashlib.sha256(env.reset(seed=seed)[0].tobytes())
    for _ in range(steps):
        frame, reward, _, truncated, _ = env.step(int(rng.integers(8)))
        digest.update(frame.tobytes() + str(reward).encode())
        if truncated:
            env.reset()
    return digest.hexdigest()


def test_same_bytes_in_another_process_and_with_other_threads() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from test_maze_env import *;"
        "print(rollout_digest(MazeEnv(level='seekavoid_arena_1', num_layouts=3), 7, 1000))"
    )
    here = str(Path(__file__).parent)
    result = subprocess.run(
        [sys.executable, "-c", code, here],
        capture_output=True,
        text=True,
        check=True,
        env={
            "NUMBA_NUM_THREADS": "2",
            "OMP_NUM_THREADS": "2",
            "PYTHONHASHSEED": "5",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    ours = rollout_digest(MazeEnv(level="seekavoid_arena_1", num_layouts=3), 7, 1000)
    assert result.stdout.strip() == ours


def test_seed_and_layout_make_the_episode() -> None:
    first, second = MazeEnv(num_layouts=5), MazeEnv(num_layouts=5)
    first.reset(seed=0)
    first.step(2)
    one = first.reset(seed=3, options={"layout": 4})[0]
    two = second.reset(seed=3, options={"layout": 4})[0]
    other = second.reset(seed=3, options={"layout": 2})[0]
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not np.array_equal(two, second.reset(options={"layout": 4})[0])


def test_unseeded_environments_differ() -> None:
    frames = {MazeEnv().reset()[0].tobytes() for _ in range(4)}
    assert len(frames) == 4


def test_info_is_empty_until_the_end() -> None:
    env = MazeEnv(level="seekavoid_arena_1")
    assert env.reset(seed=0)[1] == {}
    infos = [env.step(0)[4] for _ in range(300)]
    assert infos[:-1] == [{}] * 299
    assert set(infos[-1]) == {"apples"}
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_ground_truth_shapes_and_values() -> None:
    env = MazeEnv(num_layouts=3)
    env.reset(seed=1)
    truth = env.ground_truth()
    assert (truth.segments.shape, truth.segments.dtype) == ((64, 64), np.uint16)
    assert (truth.depth.shape, truth.depth.dtype) == ((64, 64), np.float32)
    assert truth.position.shape == truth.cell.shape == (2,)
    assert truth.heading.shape == truth.goal_distance.shape == ()
    assert tuple(truth.cell) == (int(truth.position[1]), int(truth.position[0]))
    layout = env.simulation.layouts[env.simulation.state.layout[0]]
    goal_x, goal_y = truth.object_position[0]
    expected = layout.distances((int(goal_y), int(goal_x)))[tuple(truth.cell)]
    assert truth.goal_distance == expected
    assert KINDS[truth.object_kind[0]].name == "goal"
    assert truth.object_present.all()
    for number, pixels in enumerate(truth.object_pixels):
        assert pixels == (truth.segments == OBJECT + number).sum()


def test_ground_truth_does_not_disturb() -> None:
    watched, alone = MazeEnv(num_layouts=2), MazeEnv(num_layouts=2)
    watched.reset(seed=0)
    alone.reset(seed=0)
    for action in (2, 2, 6, 7, 0, 1):
        watched.ground_truth()
        np.testing.assert_array_equal(watched.step(action)[0], alone.step(action)[0])


def test_no_goal_distance_without_a_goal() -> None:
    env = MazeEnv(level="seekavoid_arena_1")
    env.reset(seed=0)
    assert np.isnan(env.ground_truth().goal_distance)


def test_own_maze_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "maze.txt"
    path.write_text("*******\n*P   G*\n*******\n")
    env = MazeEnv(layouts=[path])
    for seed in range(3):
        env.reset(seed=seed)
        truth = env.ground_truth()
        assert tuple(truth.cell) == (0, 0)
        np.testing.assert_array_equal(truth.object_position[0], [2.5, 0.5])


def test_shifts_change_one_factor() -> None:
    plain = MazeEnv(level="collect_good_objects", num_layouts=20).simulation
    texts = {layout.to_text() for layout in plain.layouts}
    kinds = set(plain.rules.good_kinds) | set(plain.rules.bad_kinds)
    for shift in ("layout", "size", "texture", "objects", "all"):
        other = MazeEnv(level="collect_good_objects", num_layouts=20, shift=shift).simulation
        same_layouts = {layout.to_text() for layout in other.layouts} == texts
        assert same_layouts == (shift in ("texture", "objects"))
        splits = {split_of_hash(layout.canonical_hash()) for layout in other.layouts}
        assert splits == ({"train"} if same_layouts else {"test"})
        same_size = other.layouts[0].rows == plain.layouts[0].rows
        assert same_size == (shift not in ("size", "all"))
        other_kinds = set(other.rules.good_kinds) | set(other.rules.bad_kinds)
        assert (not kinds & other_kinds) == (shift in ("objects", "all"))
        assert (kinds == other_kinds) == (shift not in ("objects", "all"))
        changed = condition(plain.level, "train", shift).textures == "test"
        assert changed == (shift in ("texture", "all"))
        if same_layouts:
            same_looks = np.array_equal(plain.looks.texels, other.looks.texels)
            assert same_looks == (shift == "objects")


def test_held_out_combinations_share_shapes_and_colours_with_training() -> None:
    train = list(np.ndindex(len(COLOURS), len(SHAPES)))
    colours, shapes = list(COLOURS), list(SHAPES)
    held = {c for c in train if is_held_out(colours[c[0]], shapes[c[1]])}
    kept = set(train) - held
    assert {c[0] for c in kept} == set(range(len(colours)))
    assert {c[1] for c in kept} == set(range(len(shapes)))
    assert len(held) == len(train) / 4
    for good in (True, False):
        assert solid_numbers(good, True)
        assert not set(solid_numbers(good, True)) & set(solid_numbers(good, False))


def test_apple_levels_show_other_apples_under_a_shift_of_objects() -> None:
    env = MazeEnv(shift="objects")
    env.reset(seed=0)
    names = {KINDS[kind].name for kind in env.ground_truth().object_kind}
    assert names == {"held-out goal", "held-out apple"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "nav_maze_11"}, "no level 'nav_maze_11': .* nearest is 'nav_maze_1'"),
        ({"levle": "nav_maze_1"}, "no option 'levle': choose 'level'"),
        ({"split": "vaildation"}, "no split 'vaildation': choose 'validation'"),
        ({"shift": "textures"}, "no shift 'textures': choose 'texture'"),
        ({"num_layouts": 0}, "num_layouts=0: there are 200 layouts"),
        ({"num_layouts": 201}, "num_layouts=201: there are 200 layouts"),
        ({"split": "validation", "num_layouts": 51}, "there are 50 layouts"),
        ({"image_size": 4}, "image_size=4 is too small"),
        ({"render_mode": "human"}, "no render_mode 'human'"),
        ({"textures": "lab"}, "no textures 'lab'"),
        ({"layouts": []}, "layouts is empty"),
        ({"layouts": "my.txt"}, r"layouts='my.txt' is no list: give \[my.txt\]"),
        ({"layouts": ["absent.txt"]}, "cannot read the layout absent.txt"),
        ({"layouts": [Layout.from_text("***\n* *\n***")], "shift": "layout"}, "leave out either"),
        (
            {
                "layouts": [
                    Layout.from_text("***\n* *\n***"),
                    Layout.from_text("*****\n*   *\n*****"),
                ]
            },
            "layout 1 has 1 x 2 cells, layout 0 has 1 x 1",
        ),
    ],
)
def test_bad_options_get_one_line(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        MazeEnv(**options)
    assert "\n" not in str(error.value)


def test_bad_action_and_layout_get_one_line() -> None:
    env = MazeEnv(num_layouts=2)
    with pytest.raises(UsageError, match="no layout 2: this environment has layouts 0 to 1"):
        env.reset(seed=0, options={"layout": 2})
    env.reset(seed=0)
    for action in (8, 2.5, np.array([2]), None):
        with pytest.raises(UsageError, match=r"action .*choose an integer from 0 to 7"):
            env.step(action)


def test_can_be_pickled_in_the_middle_of_an_episode() -> None:
    env = MazeEnv(num_layouts=2)
    env.reset(seed=0)
    env.step(2)
    copy = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(copy.step(6)[0], env.step(6)[0])
