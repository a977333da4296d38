"""What cannot be played is said in one line."""

from __future__ import annotations

import re
import sys

import pytest
from gymnasium.error import ResetNeeded
from lab_episodes import SHORT, play

from ocrl_envs.dmlab import DeepMindLabEnv
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.task.levels import LEVELS as EMBEDDED_LEVELS

GENERATED = "explore_goal_locations_small"
MAZE = "*****\n*P G*\n*****"


def test_no_step_without_an_episode(deepmind_lab, make_env):
    env = make_env(settings=SHORT, render_mode="rgb_array")
    for before_reset in (lambda: env.step(0), env.render):
        with pytest.raises(ResetNeeded):
            before_reset()
    env.reset(seed=0)
    play(env)
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    assert env.step(0)[1] == 0


def test_missing_renderer_is_not_blamed_on_the_level(fake_lab, make_env):
    with pytest.raises(UsageError, match="take renderer=software") as error:
        make_env(renderer="hardware").reset(seed=0)
    assert "setting" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("dm_env", "pip install dm-env"),
        ("pkg_resources", r"pip install 'setuptools<81'"),
        ("imp", "build deepmind_lab for an older Python"),
        ("something_else", "docs/dmlab.md"),
    ],
)
def test_module_that_does_not_import(monkeypatch, tmp_path, make_env, missing, remedy):
    (tmp_path / "deepmind_lab.py").write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "deepmind_lab", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=f"does not import: .*{missing}.*; .*{remedy}") as error:
        make_env().reset(seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"image_size": 66}, "image_size=66: .* multiples of 4"),
        ({"image_size": (64, 0)}, r"image_size=\(64, 0\): .* multiples of 4"),
        ({"image_size": (64, 64, 3)}, r"image_size=\(64, 64, 3\): .* multiples of 4"),
        ({"action_repeat": 0}, "action_repeat=0: "),
        ({"renderer": "gpu"}, "renderer='gpu': choose from software, hardware"),
        ({"render_mode": "human"}, "render_mode='human': choose rgb_array"),
        ({"actions": "navigation9"}, "actions='navigation9': choose from navigation8, .*, raw"),
        ({"observations": ("rgb", "depht")}, "no observation 'depht': .* nearest is 'depth'"),
        ({"observations": ("depth",)}, "add 'rgb'"),
        ({"maze_text": MAZE}, "level=nav_maze_1 has a map of its own: .*explore_goal_locations"),
        ({"settings": {"episodeLengthSeconds": "abc"}}, "episodeLengthSeconds='abc': .* a number"),
        ({"texture_seeds": 0}, "texture_seeds=0: "),
        ({"level": GENERATED, "mazes_of": "nav_maze_1", "maze_text": MAZE}, "give one"),
        ({"level": GENERATED, "mazes_of": "seekavoid_arena_1"}, "needs a goal, choose from nav"),
        ({"level": GENERATED, "mazes_of": "nav_maze_1", "num_layouts": 999}, "num_layouts=999"),
        ({"split": "test"}, "split=test .* choose among the layouts of mazes_of"),
        ({"level": GENERATED, "maze_text": MAZE, "num_layouts": 1}, "layouts of mazes_of"),
        ({"level": GENERATED, "maze_text": []}, "maze_text is an empty list"),
        ({"level": GENERATED, "maze_text": [MAZE, "*"]}, "both must be odd"),
    ],
)
def test_bad_arguments(fake_lab, kwargs, message):
    with pytest.raises(UsageError, match=message) as error:
        DeepMindLabEnv(**kwargs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": "nav_maze_4"}, "Level not found.*the nearest is nav_maze_"),
        ({"level": "nav_maze_statik_01"}, "Level not found.*the nearest is nav_maze_static_01"),
        ({"settings": {"botCount": 3}}, "botCount"),
    ],
)
def test_what_deepmind_lab_does_not_know(deepmind_lab, make_env, kwargs, message):
    with pytest.raises(UsageError, match=message) as error:
        make_env(**kwargs).reset(seed=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("level", "command"),
    [
        ("nav_maze_random_goal_2", "has this level too: env=nav_maze_random_goal_2 simulator=maze"),
        ("nav_maze_static_03", "has this level too: env=nav_maze_3 simulator=maze"),
        (
            "contributed/dmlab30/rooms_watermaze",
            "has no such level, .*: env=[a-z_0-9]+ simulator=maze",
        ),
    ],
)
def test_without_deepmind_lab(without_deepmind_lab, level, command):
    with pytest.raises(UsageError, match=r"not installed: docs/dmlab\.md .*" + command) as error:
        DeepMindLabEnv(level)
    assert "\n" not in str(error.value)
    suggested = re.search(r"env=(\S+)", str(error.value))
    assert suggested.group(1) in EMBEDDED_LEVELS
