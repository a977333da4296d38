"""What the agent sees, and that it is what it sees in the embedded maze."""

from __future__ import annotations

import numpy as np
import pytest
from lab_episodes import SHORT, play
from recordings import FOLDER, needs_recordings

from ocrl_envs.dmlab.observations import TOP_SPEED, own_pose
from ocrl_envs.dmlab.observations import own_velocity as own_velocity_of_engine
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.motion import ACTION_TABLE
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.observations import own_velocity

# Of this level there is no recording: its frames and rewards are invented.
INVENTED = "collect_good_objects"
ALL = ("rgb", "depth", "velocity", "pose", "instruction")


def test_observations(fake_lab, make_env):
    names = ["instruction", "pose", "velocity", "rgb", "depth"]
    env = make_env(INVENTED, observations=names, image_size=(24, 32))
    observation, _ = env.reset(seed=0)
    engine = env._lab._observe()
    assert set(observation) == set(ALL)
    np.testing.assert_array_equal(observation["rgb"], engine["RGB_INTERLEAVED"])
    np.testing.assert_array_equal(observation["depth"], engine["RGBD_INTERLEAVED"][..., 3:])
    assert observation["instruction"] == engine["INSTR"]
    assert observation["rgb"].shape == (24, 32, 3)


def test_velocity_is_that_of_the_embedded_maze(fake_lab, make_env):
    env, maze = make_env(INVENTED, velocity=True), MazeEnv(velocity=True, num_layouts=1)
    assert env.observation_space["velocity"] == maze.observation_space["velocity"]
    observation, _ = env.reset(seed=0)
    assert observation["velocity"][2] == 0
    state = maze.simulation.state
    maze.reset(seed=0)
    for action in range(8):
        observation = env.step(action)[0]
        # the same speed and turn in the maze, whose agent looks south
        ahead, left, _ = env._lab._observe()["VEL.TRANS"] / 100
        state.heading[0] = np.pi / 2
        state.velocity[0] = left, ahead
        state.turning[0] = ACTION_TABLE[action, 0]
        velocity = own_velocity(maze.simulation)[0]
        np.testing.assert_allclose(observation["velocity"], velocity, atol=1e-6)


@needs_recordings
def test_velocity_agrees_with_recorded_ways():
    # decisions of 64 ms, straight and without a turn, at more than 9/10 of the top speed
    ratios = []
    for path in FOLDER.glob("*.npz"):
        with np.load(path) as record:
            way = np.diff(record["position"][:, :2], axis=0) / 0.064 / TOP_SPEED
            yaw = np.radians(record["rotation"][1:, 1])
            cos, sin = np.cos(yaw), np.sin(yaw)
            east, north = way.T
            walked = np.stack([cos * east + sin * north, sin * east - cos * north], 1)
            straight = np.isin(record["actions"][:-1], [2, 3, 4, 5])
            for t in np.flatnonzero(straight & (np.abs(walked).max(1) > 0.9)):
                told = own_velocity_of_engine({"VEL.TRANS": record["velocity"][t + 1]}, look=0)
                axis = np.abs(walked[t]).argmax()
                ratios.append(told[axis] / walked[t, axis])
    assert len(ratios) > 50
    assert np.median(ratios) == pytest.approx(1, abs=0.03)
    assert np.min(ratios) > 0


@needs_recordings
def test_pose_goes_where_the_velocity_says():
    # as in the maze: x and y grow to the right of each other, and so does the heading
    gaps: list[float] = []
    for path in FOLDER.glob("*.npz"):
        with np.load(path) as record:
            engine = [
                {"DEBUG.POS.TRANS": place, "DEBUG.POS.ROT": turned, "VEL.TRANS": speed}
                for place, turned, speed in zip(
                    record["position"], record["rotation"], record["velocity"], strict=True
                )
            ]
            straight = np.isin(record["actions"][:-1], [2, 3, 4, 5])
        poses = np.stack([own_pose(each) for each in engine])
        ahead, right, _ = np.stack([own_velocity_of_engine(each, 0) for each in engine[1:]]).T
        _, _, cos, sin = poses[1:].T
        expected = np.stack([ahead * cos - right * sin, ahead * sin + right * cos], axis=1)
        ways = np.diff(poses[:, :2], axis=0) * 100 / 0.064 / TOP_SPEED
        fast = straight & (np.hypot(*ways.T) > 0.9) & (np.hypot(*ways.T) < 1.2)
        gaps += list(np.abs(ways - expected)[fast].max(1))
    assert len(gaps) > 50
    assert np.median(gaps) < 0.1


def test_render_shows_the_current_frame(deepmind_lab, make_env):
    env = make_env(settings=SHORT, observations=("rgb", "depth"), render_mode="rgb_array")
    env.reset(seed=0)
    observation = play(env)[-1][0]
    np.testing.assert_array_equal(env.render(), observation["rgb"])
    env.render()[:] = 0
    assert env.render().any()
    env.render_mode = None
    assert env.render() is None


def test_level_without_an_observation(fake_lab, make_env, monkeypatch):
    shapes = fake_lab.Lab._shapes
    monkeypatch.setattr(
        fake_lab.Lab,
        "_shapes",
        lambda lab: {name: shape for name, shape in shapes(lab).items() if name != "INSTR"},
    )
    with pytest.raises(UsageError, match="Unknown observation 'INSTR'; leave that"):
        make_env(observations=("rgb", "instruction")).reset(seed=0)
