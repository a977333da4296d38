"""The truth of mazes is what is in the frame, seen from the agent, and nothing that is not."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from ocrl_envs.maze.rendering.views import OBJECT

RAYS = 16
SHAPES = slice(4, 9)


def mazes(num_envs: int = 48, level: str = "collect_good_objects", steps: int = 0) -> Any:
    envs = gymnasium.make_vec(
        "ocrl_envs:ocrl/NavMaze-v0",
        num_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.DISABLED,
        level=level,
    )
    envs.reset(seed=3)
    generator = np.random.default_rng(0)
    for _ in range(steps):
        envs.step(generator.integers(0, 8, num_envs))
    return envs


def test_tokens_of_visible_things_are_where_their_pixels_are() -> None:
    envs = mazes()
    tokens, truth = envs.unwrapped.describe(), envs.ground_truth()
    seen = 0
    for token, segments, depth in zip(tokens, truth.segments, truth.depth, strict=True):
        for k, thing in enumerate(token[:-1]):
            pixels = segments == OBJECT + k
            assert thing[0] == pixels.any()
            assert pixels.any() or not thing.any()
            # of a thing behind a corner or the picture's edge, only a part tells its place
            columns = np.flatnonzero(pixels.any(0))
            if pixels.sum() < 12 or columns[0] == 0 or columns[-1] == 63:
                continue
            nearness, sine, cosine = thing[1:4]
            ahead, right = (1 / nearness - 1) * cosine, (1 / nearness - 1) * sine
            assert abs(ahead - depth[pixels].mean()) < 0.25
            assert abs(right / ahead - (columns.mean() + 0.5 - 32) / 32) < 0.25 / ahead
            assert thing[SHAPES].sum() == 1
            seen += 1
    assert seen > 20


def test_kinds_are_told_by_their_looks() -> None:
    envs = mazes(level="nav_maze_1")
    things = envs.unwrapped.describe()[:, :-1]
    goals, apples = things[:, :1][things[:, :1, 0] > 0], things[:, 1:][things[:, 1:, 0] > 0]
    assert len(goals) > 1
    assert len(apples) > 3
    assert (goals[:, 4:] == goals[0, 4:]).all()
    assert (apples[:, 4:] == apples[0, 4:]).all()
    assert (goals[0, SHAPES] != apples[0, SHAPES]).any()
    red, green, _ = apples[0, 9:12]
    assert red > 5 * green


def test_what_is_not_visible_leaves_no_trace() -> None:
    envs = mazes(level="nav_maze_1")
    before, truth = envs.unwrapped.describe(), envs.ground_truth()
    state = envs.unwrapped.simulation.state
    hidden = np.flatnonzero((truth.object_pixels == 0).all(1))
    assert len(hidden) > 3
    for i in hidden:
        # behind the agent
        back = 0.3 * np.array([np.cos(state.heading[i]), np.sin(state.heading[i])])
        state.place[i] = state.position[i] - back
        state.kind[i] = state.kind[i, ::-1]
    np.testing.assert_array_equal(envs.unwrapped.describe()[hidden], before[hidden])


def test_rays_end_at_the_walls_that_a_walk_along_them_meets() -> None:
    envs = mazes(level="nav_maze_1", steps=30)
    simulation, state = envs.unwrapped.simulation, envs.unwrapped.simulation.state
    state.present[:] = False
    rays = 1 / envs.unwrapped.describe()[:, -1, 14 : 14 + RAYS] - 1
    angles = np.arctan((2 + 4 * np.arange(RAYS) + 0.5 - 32) / 32)
    errors = []
    for i in range(6):
        maps = simulation.maps
        horizontal = maps.horizontal[state.layout[i]]
        vertical = maps.vertical[state.layout[i]]
        for angle, distance in zip(angles, rays[i], strict=True):
            heading = state.heading[i] + angle
            place = state.position[i].astype(float)
            step = 1e-3 * np.array([np.cos(heading), np.sin(heading)])
            walked = 0.0
            while True:
                col, row = np.floor(place).astype(int)
                new_col, new_row = np.floor(place + step).astype(int)
                hit = new_col != col and vertical[row, max(col, new_col)] >= 0
                if hit or (new_row != row and horizontal[max(row, new_row), col] >= 0):
                    break
                place, walked = place + step, walked + 1e-3
            errors.append(abs(distance - walked))
    # a walk may slip past a corner
    assert np.quantile(errors, 0.98) < 0.01


def test_velocity_is_seen_from_the_agent() -> None:
    for action, axis, sign in ((2, 0, 1), (3, 0, -1), (5, 1, 1), (4, 1, -1)):
        envs = mazes(8, "seekavoid_arena_1")
        for _ in range(3):
            envs.step(np.full(8, action))
        velocity = envs.unwrapped.describe()[:, -1, -2:]
        assert (sign * velocity[:, axis] > 0.4).mean() > 0.5
        assert np.abs(velocity).max() <= 1 + 1e-5
        # some slide along a wall
        assert np.median(np.abs(velocity[:, 1 - axis])) < 1e-5


def test_more_things_than_the_level_has_take_the_places_of_those_out_of_sight() -> None:
    envs = gymnasium.make_vec(
        "ocrl_envs:ocrl/NavMaze-v0",
        64,
        vectorization_mode="vector_entry_point",
        level="collect_good_objects",
        shift="count",
    )
    envs.reset(seed=3)
    tokens, truth = envs.unwrapped.describe(), envs.unwrapped.ground_truth()
    assert tokens.shape[1:] == mazes(1).unwrapped.describe().shape[1:]
    visible = (truth.object_pixels > 0).sum(1)
    np.testing.assert_array_equal((tokens[:, :-1, 0] > 0).sum(1), np.minimum(visible, 20))
    own = truth.object_pixels[:, :20] > 0
    plain = tokens[:, :-1][own][:, 0]
    assert plain.all()
    assert (truth.object_pixels[:, 20:] > 0).any(1).sum() > 5
