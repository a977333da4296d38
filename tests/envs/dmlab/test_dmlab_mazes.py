"""Layouts of the embedded maze inside the lab."""

from __future__ import annotations

import fake_deepmind_lab
import pytest
from lab_episodes import SHORT, play

from ocrl_envs.dmlab import LEVELS, LevelCache
from ocrl_envs.dmlab.named_mazes import maze_texts
from ocrl_envs.maze.appearance.objects import KIND_NUMBERS
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.task.levels import LEVELS as EMBEDDED_LEVELS

GENERATED = "explore_goal_locations_small"
MAZE = "*****\n*P G*\n*****"
OTHER_MAZE = "*****\n*P  *\n*** *\n*G  *\n*****"


def test_one_maze(fake_lab, make_env):
    env = make_env(GENERATED, maze_text=MAZE, settings=SHORT)
    env.reset(seed=0)
    assert env._lab.read_property("params.overrideEntityLayer") == MAZE + "\n"
    assert play(env)[-1][-1]["maze"] == 0


def test_every_episode_draws_one_of_several_mazes(fake_lab, make_env):
    mazes = [MAZE, OTHER_MAZE]

    def drawn(seed):
        env = make_env(GENERATED, maze_text=mazes, settings={"episodeLengthSeconds": 0.1})
        for episode in range(12):
            env.reset(seed=seed if episode == 0 else None)
            maze = play(env)[-1][-1]["maze"]
            assert env._lab.read_property("params.overrideEntityLayer").startswith(mazes[maze])
            yield maze
        env.close()

    first = list(drawn(0))
    assert set(first) == {0, 1}
    assert first == list(drawn(0)) != list(drawn(1))


@pytest.mark.parametrize(("texture_seeds", "maps"), [(1, 2), (2, 4), (None, 16)])
def test_maps_are_compiled_once_for_each_seed_of_a_layout(
    fake_lab, make_env, tmp_path, monkeypatch, texture_seeds, maps
):
    monkeypatch.setattr(fake_deepmind_lab, "compiled", [])
    folder = tmp_path / "cache"
    for seed, level_cache in enumerate([LevelCache(folder), str(folder)]):
        env = make_env(
            GENERATED,
            maze_text=[MAZE, OTHER_MAZE],
            texture_seeds=texture_seeds,
            level_cache=level_cache,
        )
        env.reset(seed=seed)
        for _ in range(7):
            env.reset()
        env.close()
    compiled = fake_deepmind_lab.compiled
    assert len(compiled) == len(set(compiled)) == maps == len(list(folder.iterdir()))
    assert {text for text, _ in compiled} == {MAZE + "\n", OTHER_MAZE + "\n"}
    assert len({seed for _, seed in compiled}) == maps  # no two layouts look alike


def test_mazes_by_name(fake_lab, make_env):
    env = make_env(GENERATED, mazes_of="nav_maze_1", split="test", num_layouts=3)
    hashes = set()
    for _ in range(20):
        env.reset()
        text = env._lab.read_property("params.overrideEntityLayer")
        assert (text.count("G"), text.count("A")) == (1, 5)
        hashes.add(Layout.from_text(text).canonical_hash())
    embedded = MazeEnv(level="nav_maze_1", split="test", num_layouts=3).simulation.layouts
    assert hashes == {layout.canonical_hash() for layout in embedded}


@pytest.mark.parametrize("level", ["nav_maze_1", "nav_maze_random_goal_2"])
def test_goal_and_apples_are_where_the_embedded_maze_has_them(level):
    env = MazeEnv(level=level, split="validation", fix_goal=True, num_layouts=4)
    for number, text in enumerate(maze_texts(level, "validation", 4)):
        env.reset(seed=number, options={"layout": number})
        truth = env.ground_truth()
        names = {KIND_NUMBERS["goal"]: "G", KIND_NUMBERS["apple"]: "A"}
        lines = text.splitlines()
        seen = [lines[2 * int(y) + 1][2 * int(x) + 1] for x, y in truth.object_position]
        assert seen == [names[kind] for kind in truth.object_kind]


def test_held_out_level_opens(fake_lab, make_env):
    make_env("contributed/dmlab30/rooms_collect_good_objects_test").reset(seed=0)


def test_same_levels_as_the_embedded_maze():
    assert set(LEVELS) == set(EMBEDDED_LEVELS)
