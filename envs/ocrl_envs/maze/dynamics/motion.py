"""How the agent moves: the walking physics of DeepMind Lab's engine (Quake III Arena).

Every engine frame the agent turns, loses speed to friction, gains speed towards where it wants to
go, and moves a box through the walls' gaps, sliding along what it hits. Lengths are in cells of
100 engine units, times in seconds.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel

# the engine plays 60 frames a second, and moves the agent by 17, 17 and 14 ms in turn; in the first
# half second of an episode by 17 ms each time
FRAME_SECONDS = 0.016
EARLY_FRAME_SECONDS = 0.017
EARLY_STEPS = 8
FRAMES_PER_STEP = 4
TURN_PER_FRAME = math.radians(20 * 0.1056)
TOP_SPEED = 3.2
ACCELERATION = 10.0
FRICTION = 6.0
STOP_SPEED = 1.0
# half of the agent's box (15 units), of a wall (1 unit), and the engine's clearance (1/8 unit)
CLEARANCE = 0.16125
# what is left between box and wall, far above the rounding of float32 coordinates
_GAP = 1e-4

# turn to the right, ahead, to the right; by action
ACTION_NAMES = (
    "look left",
    "look right",
    "forward",
    "backward",
    "strafe left",
    "strafe right",
    "forward, look left",
    "forward, look right",
)
ACTION_TABLE = np.array(
    [
        [-1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, -1, 0],
        [0, 0, -1],
        [0, 0, 1],
        [-1, 1, 0],
        [1, 1, 0],
    ],
    np.float64,
)


@kernel
def frame_seconds(step: int) -> float:
    """Return for how long each frame of an episode's decision moves the agent."""
    return EARLY_FRAME_SECONDS if step < EARLY_STEPS else FRAME_SECONDS


@kernel
def accelerate(
    velocity_x: float, velocity_y: float, wish_x: float, wish_y: float, seconds: float
) -> tuple[float, float]:
    """Return the velocity after friction and acceleration towards a unit (or zero) direction."""
    speed = math.sqrt(velocity_x * velocity_x + velocity_y * velocity_y)
    if speed > 0.0:
        kept = max(speed - max(speed, STOP_SPEED) * FRICTION * seconds, 0.0) / speed
        velocity_x *= kept
        velocity_y *= kept
    if wish_x != 0.0 or wish_y != 0.0:
        lacking = TOP_SPEED - (velocity_x * wish_x + velocity_y * wish_y)
        gain = min(ACCELERATION * seconds * TOP_SPEED, max(lacking, 0.0))
        velocity_x += gain * wish_x
        velocity_y += gain * wish_y
    return velocity_x, velocity_y


@kernel
def slide(
    along: npt.NDArray[np.int16], across: npt.NDArray[np.int16], x: float, y: float, move: float
) -> float:
    """Return how far the agent's box gets along x before it meets a wall; any distance is safe.

    Its leading edge crosses grid lines one by one. A line stops it where a wall stands on it in
    the rows that the box covers, or where the end of a wall between those rows sticks out.

    Args:
        along: walls that run along x, (rows + 1, cols), -1: open. For movement along y pass the
            transposed walls and swap the coordinates.
        across: walls that run along y, (rows, cols + 1), -1: open.
        x: of the centre, along the movement.
        y: of the centre, across the movement.
        move: how far to go; negative: backwards.

    Returns:
        The new x.
    """
    low, high = math.floor(y - CLEARANCE), math.floor(y + CLEARANCE)
    sign = 1 if move >= 0.0 else -1
    edge = x + sign * CLEARANCE
    line = math.floor(edge) + 1 if sign > 0 else math.ceil(edge) - 1
    goal = edge + move
    while sign * (goal - line) > -_GAP:
        hit = across[low, line] >= 0 or across[high, line] >= 0
        if not hit and low != high:
            hit = along[high, line if sign > 0 else line - 1] >= 0
        if hit:
            return line - sign * (CLEARANCE + _GAP)
        line += sign
    return x + move


@kernel
def glide(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    x: float,
    y: float,
    velocity_x: float,
    velocity_y: float,
    heading: float,
    ahead: float,
    right: float,
    seconds: float,
) -> tuple[float, float, float, float]:
    """Return place and velocity (x, y, velocity_x, velocity_y) after one engine frame.

    Args:
        horizontal: walls that run east, int16 (rows + 1, cols), -1: open.
        vertical: walls that run south, int16 (rows, cols + 1), -1: open.
        x: where the agent is.
        y: where the agent is.
        velocity_x: how fast it is.
        velocity_y: how fast it is.
        heading: where the agent looks.
        ahead: 1 forward, -1 backward, 0 neither.
        right: 1 strafes right, -1 left, 0 neither.
        seconds: length of the frame.
    """
    cos, sin = math.cos(heading), math.sin(heading)
    vx, vy = accelerate(
        velocity_x, velocity_y, ahead * cos - right * sin, ahead * sin + right * cos, seconds
    )
    new_x = float(np.float32(slide(horizontal, vertical, x, y, vx * seconds)))
    if abs(new_x - (x + vx * seconds)) > 1e-4:
        vx = 0.0
    new_y = float(np.float32(slide(vertical.T, horizontal.T, y, new_x, vy * seconds)))
    if abs(new_y - (y + vy * seconds)) > 1e-4:
        vy = 0.0
    return new_x, new_y, vx, vy


@kernel
def move_frame(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    position: npt.NDArray[np.float32],
    velocity: npt.NDArray[np.float32],
    heading: float,
    ahead: float,
    right: float,
    seconds: float,
) -> None:
    """Advance one agent, float32 (2,) position and velocity, by one engine frame, in place.

    The other arguments are those of ``glide``.
    """
    position[0], position[1], velocity[0], velocity[1] = glide(
        horizontal,
        vertical,
        float(position[0]),
        float(position[1]),
        float(velocity[0]),
        float(velocity[1]),
        heading,
        ahead,
        right,
        seconds,
    )
