from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrl_envs.maze.dynamics.motion import (
    ACTION_TABLE,
    CLEARANCE,
    EARLY_FRAME_SECONDS,
    FRAME_SECONDS,
    FRAMES_PER_STEP,
    TURN_PER_FRAME,
    accelerate,
    move_frame,
    slide,
)
from ocrl_envs.maze.env import MazeEnv
from ocrl_envs.maze.layout.layout import Layout
from ocrl_envs.maze.layout.maps import wall_runs
from ocrl_envs.maze.layout.splits import Architecture, generate_layout
from ocrl_envs.maze.vector import MazeVectorEnv


def speeds(action: int, speed: float, steps: int, seconds: float) -> list[float]:
    """Return the speed along the view after each of some steps of an action in the open."""
    _, ahead, right = ACTION_TABLE[action]
    velocity, out = (speed, 0.0), []
    for _ in range(steps):
        for _ in range(FRAMES_PER_STEP):
            velocity = accelerate(*velocity, ahead, right, seconds)
        out.append(velocity[0])
    return out


def test_speeds_of_deepmind_lab() -> None:
    # measured in the real one, in cells per second, after each decision
    early = EARLY_FRAME_SECONDS
    np.testing.assert_allclose(speeds(2, 0.0, 3, early), [1.83, 3.05, 3.20], rtol=0.01)
    np.testing.assert_allclose(speeds(3, 0.0, 3, early), [-1.83, -3.05, -3.20], rtol=0.01)
    later = speeds(0, 3.2, 6, FRAME_SECONDS)
    np.testing.assert_allclose(later[:5], [2.12, 1.41, 0.95, 0.56, 0.18], atol=0.025)
    assert later[5] == 0.0


def test_turn_of_deepmind_lab() -> None:
    assert math.degrees(FRAMES_PER_STEP * TURN_PER_FRAME) == pytest.approx(8.448)


@pytest.mark.parametrize("heading", [0.0, 1.0, 4.0])
@pytest.mark.parametrize(
    ("action", "turn", "ahead", "right"),
    [
        (0, -1, 0, 0),
        (1, 1, 0, 0),
        (2, 0, 1, 0),
        (3, 0, -1, 0),
        (4, 0, 0, -1),
        (5, 0, 0, 1),
        (6, -1, 1, 0),
        (7, 1, 1, 0),
    ],
)
def test_actions_do_what_their_names_say(
    action: int, turn: int, ahead: int, right: int, heading: float
) -> None:
    hall = Layout.from_text("\n".join(["*" * 9] + ["*" + " " * 7 + "*"] * 7 + ["*" * 9]))
    env = MazeEnv(layouts=[hall])
    env.reset(seed=0)
    state = env.simulation.state
    state.present[:] = False
    state.position[0], state.heading[0] = (2.0, 2.0), heading
    env.step(action)
    east, south = state.position[0] - 2.0
    turned = math.remainder(float(state.heading[0]) - heading, 2 * math.pi)
    assert math.degrees(turned) == pytest.approx(8.448 * turn, abs=1e-3)
    # on a map with y to the south, right is a quarter turn clockwise
    middle = heading + turned / 2
    went_ahead = east * math.cos(middle) + south * math.sin(middle)
    went_right = south * math.cos(middle) - east * math.sin(middle)
    assert went_ahead == pytest.approx(0.081 * ahead, abs=0.003)
    assert went_right == pytest.approx(0.081 * right, abs=0.003)


def free_place(horizontal: np.ndarray, vertical: np.ndarray, x: float, y: float) -> bool:
    """Return whether the agent's box, at a place, overlaps no wall: by brute force."""
    rows, cols = len(vertical), horizontal.shape[1]
    reach = CLEARANCE
    if not (reach <= x <= cols - reach and reach <= y <= rows - reach):
        return False
    for row, col in np.argwhere(horizontal >= 0):
        if abs(y - row) < reach and col - reach < x < col + 1 + reach:
            return False
    for row, col in np.argwhere(vertical >= 0):
        if abs(x - col) < reach and row - reach < y < row + 1 + reach:
            return False
    return True


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**9),
    st.floats(0.001, 2.0),
    st.floats(0.0, 500.0),
    st.integers(0, 10**9),
)
def test_never_inside_a_wall_at_any_speed_and_frame_rate(
    maze: int, seconds: float, speed: float, seed: int
) -> None:
    layout = generate_layout(Architecture(4, 5, loops=0.3), maze)
    horizontal, vertical = wall_runs(layout)
    rng = np.random.default_rng(seed)
    position = np.array([2.5, 1.5], np.float32)
    velocity = np.zeros(2, np.float32)
    home = reachable_without_walls(layout)
    for _ in range(20):
        if rng.random() < 0.5:
            angle = rng.uniform(0, 2 * np.pi)
            velocity[:] = speed * np.cos(angle), speed * np.sin(angle)
        ahead, right = rng.choice([-1.0, 0.0, 1.0], 2)
        move_frame(
            horizontal,
            vertical,
            position,
            velocity,
            rng.uniform(0, 2 * np.pi),
            ahead,
            0.0 if ahead else right,
            seconds,
        )
        assert free_place(horizontal, vertical, *map(float, position))
        assert home[int(position[1]), int(position[0])]


def reachable_without_walls(layout: Layout) -> np.ndarray:
    """Return the cells on the start's side of all walls."""
    return layout.distances((1, 2)) >= 0


def test_rounding_never_carries_the_box_over_a_wall() -> None:
    for line in (1, 3, 20, 300):
        along = np.full((2, line + 1), -1, np.int16)
        across = np.full((1, line + 2), -1, np.int16)
        across[0, line] = 0
        for short in np.concatenate([[0.0], np.logspace(-12, -3, 200)]):
            x = line - 0.5
            stop = np.float32(slide(along, across, x, 0.5, 0.5 - CLEARANCE - short))
            assert float(stop) + CLEARANCE < line
            assert slide(along, across, float(stop), 0.5, 0.3) + CLEARANCE < line
            back = np.float32(slide(along, across, line + 0.5, 0.5, CLEARANCE - 0.5 + short))
            assert float(back) - CLEARANCE > line


@pytest.mark.parametrize("size", [(1, 7), (2, 2), (4, 6)])
def test_random_actions_stay_between_the_walls(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    mazes = [generate_layout(Architecture(*size, loops=0.2), seed) for seed in range(300)]
    envs = MazeVectorEnv(300, layouts=mazes, image_size=8)
    envs.reset(seed=0, options={"layout": list(range(300))})
    maps, state = envs.simulation.maps, envs.simulation.state
    for step in range(400):
        if step % 5 == 0:
            actions = rng.integers(0, 8, 300)
        envs.step(actions)
        (x, y), (col, row) = state.position.T, state.position.T.astype(int)
        i, least, most = state.layout, CLEARANCE - 1e-5, 1 - CLEARANCE + 1e-5
        assert not ((maps.vertical[i, row, col] >= 0) & (x - col < least)).any()
        assert not ((maps.vertical[i, row, col + 1] >= 0) & (x - col > most)).any()
        assert not ((maps.horizontal[i, row, col] >= 0) & (y - row < least)).any()
        assert not ((maps.horizontal[i, row + 1, col] >= 0) & (y - row > most)).any()


def test_no_tunnelling_out_of_a_closed_room() -> None:
    closed = np.full((4, 3), -1, np.int16), np.full((3, 4), -1, np.int16)
    horizontal, vertical = closed
    horizontal[[0, -1]] = vertical[:, [0, -1]] = 0
    horizontal[1:3, 1] = vertical[1, 1:3] = 1
    rng = np.random.default_rng(0)
    position, velocity = np.array([1.5, 1.5], np.float32), np.zeros(2, np.float32)
    for _ in range(2000):
        velocity[:] = rng.normal(0, 10.0 ** rng.uniform(0, 4), 2)
        move_frame(horizontal, vertical, position, velocity, 0.0, 1.0, 0.0, rng.uniform(0, 1))
        assert ((position > 1) & (position < 2)).all()


def test_slides_along_a_wall() -> None:
    horizontal, vertical = wall_runs(Layout.from_text("*********\n*       *\n*********"))
    position, velocity = np.array([0.5, 0.5], np.float32), np.zeros(2, np.float32)
    for _ in range(40):
        move_frame(horizontal, vertical, position, velocity, 0.6, 1.0, 0.0, FRAME_SECONDS)
    assert position[1] == pytest.approx(1 - CLEARANCE, abs=1e-3)
    assert position[0] > 1.5
    assert velocity[1] == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**9))
def test_never_stuck(seed: int) -> None:
    layout = generate_layout(Architecture(3, 4, loops=0.2), seed)
    horizontal, vertical = wall_runs(layout)
    rng = np.random.default_rng(seed)
    position, velocity = np.array([1.5, 1.5], np.float32), np.zeros(2, np.float32)
    for _ in range(60):
        heading = rng.uniform(0, 2 * np.pi)
        move_frame(horizontal, vertical, position, velocity, heading, 1.0, 0.0, 0.05)
    before = position.copy()
    moved = 0.0
    for heading in np.arange(4) * np.pi / 2:
        position[:], velocity[:] = before, 0.0
        for _ in range(10):
            move_frame(horizontal, vertical, position, velocity, heading, 1.0, 0.0, 0.05)
        moved = max(moved, float(np.abs(position - before).max()))
    assert moved > 0.3
