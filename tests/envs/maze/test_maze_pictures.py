from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import cast

import matplotlib
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.rendering.topdown import AGENT, GROUND, INK, draw_map
from ocrl_envs.maze.vector import MazeVectorEnv

matplotlib.use("Agg")
NO_TRAIL = np.empty((0, 2))


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=-1) < 3).sum())


def test_map_shows_walls_things_and_agent_in_their_places() -> None:
    env = MazeEnv(layouts=[Layout.from_text("*****\n*P G*\n* ***\n*   *\n*****")])
    env.reset(seed=0)
    env.simulation.state.heading[0] = 0.0
    env.simulation.state.present[0, 1:] = False
    size = 260
    picture = draw_map(env.simulation, 0, NO_TRAIL, size)
    scale, corner = size / 2.6, 0.3 * size / 2.6

    def at(x: float, y: float) -> np.ndarray:
        return picture[int(corner + scale * y), int(corner + scale * x)].astype(int)

    np.testing.assert_allclose(at(1.5, 1.0), INK, atol=2)
    np.testing.assert_allclose(at(0.5, 1.5), GROUND, atol=2)
    np.testing.assert_allclose(at(0.5, 0.5), AGENT, atol=2)
    goal = at(1.5, 0.5)
    assert goal[0] > 200
    assert goal[1] < 80
    ahead, behind = at(0.75, 0.5), at(0.15, 0.5)
    np.testing.assert_allclose(ahead, AGENT, atol=2)
    np.testing.assert_allclose(behind, GROUND, atol=2)
    # the arrow is wide at its tail and narrow at its tip
    np.testing.assert_allclose(at(0.35, 0.62), AGENT, atol=2)
    np.testing.assert_allclose(at(0.65, 0.62), GROUND, atol=2)


def test_trail_grows_and_a_new_episode_clears_it() -> None:
    env = MazeEnv(num_layouts=1, render_mode="rgb_array")
    env.reset(seed=0)

    def blue() -> int:
        picture = env.render()
        assert picture is not None
        assert picture.shape == (512, 1024, 3)
        right = picture[:, 512:].astype(int)
        return int(((right[..., 2] - right[..., 0]) > 40).sum())

    assert blue() < 150
    for action in [2] * 6 + [0] * 6 + [2] * 8:
        env.step(action)
    walked = blue()
    assert walked > 150
    env.reset()
    assert blue() < walked


def test_render_of_a_batch_equals_single() -> None:
    envs = MazeVectorEnv(2, render_mode="rgb_array", num_layouts=2)
    env = MazeEnv(render_mode="rgb_array", num_layouts=2)
    envs.reset(seed=[4, 5])
    env.reset(seed=5)
    envs.step(np.array([2, 6]))
    env.step(6)
    pictures, picture = envs.render(), env.render()
    assert pictures is not None
    np.testing.assert_array_equal(pictures[1], picture)
    assert MazeEnv(num_layouts=1).render() is None


def test_keys_move_the_agent() -> None:
    from ocrl_envs.maze.play import Player

    env = MazeEnv(layouts=[Layout.from_text("*******\n*P    *\n*******")], render_mode="rgb_array")
    player = Player(env, seed=0)
    state = env.simulation.state
    state.heading[0] = 0.0
    state.present[:] = False

    def key(name: str) -> KeyEvent:
        return cast(KeyEvent, SimpleNamespace(key=name))

    player.tick()
    assert state.steps[0] == 0
    player.press(key("up"))
    for _ in range(6):
        player.tick()
    assert state.position[0, 0] > 1.2
    player.press(key("left"))
    player.tick()
    assert state.heading[0] > np.pi
    player.release(key("up"))
    player.release(key("left"))
    steps = state.steps[0]
    player.tick()
    assert state.steps[0] == steps
    player.press(key("r"))
    assert state.steps[0] == 0
    assert player.score == 0


def test_play_needs_a_maze_with_a_render_mode() -> None:
    from ocrl_envs.maze.play import Player

    with pytest.raises(UsageError, match="render_mode='rgb_array'"):
        Player(MazeEnv(num_layouts=1))


@pytest.mark.skipif(importlib.util.find_spec("labmaze") is not None, reason="labmaze is here")
def test_labmaze_textures_say_what_to_install() -> None:
    with pytest.raises(UsageError, match=r'pip install "ocrl\[labmaze\]"'):
        MazeEnv(textures="labmaze")


@pytest.mark.skipif(importlib.util.find_spec("labmaze") is None, reason="no labmaze")
def test_labmaze_textures() -> None:
    frames = [
        MazeEnv(textures=textures, shift=shift).reset(seed=0)[0]
        for textures, shift in (("procedural", None), ("labmaze", None), ("labmaze", "texture"))
    ]
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[1], frames[2])
