"""Observations: frames, and the agent's own velocity and pose where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ocrl_envs.maze.dynamics.motion import TOP_SPEED
from ocrl_envs.maze.simulation import Simulation

PIXELS, VELOCITY, POSE = "pixels", "velocity", "pose"

Observation = npt.NDArray[Any] | dict[str, npt.NDArray[Any]]


def observation_space(simulation: Simulation) -> spaces.Space[Any]:
    """Return the space of what one agent observes.

    ``pixels`` uint8 (H, W, 3) alone, or a Dict with the senses of the simulation: ``velocity``
    float32 (3,), see ``own_velocity``; ``pose`` float32 (4,), see ``own_pose``.
    """
    pixels = spaces.Box(0, 255, simulation.frame_shape, np.uint8)
    if not simulation.senses:
        return pixels
    _, rows, cols = simulation.state.distance.shape
    size = np.array([cols, rows, 1, 1], np.float32)
    every = {
        VELOCITY: spaces.Box(-1, 1, (3,), np.float32),
        POSE: spaces.Box(np.array([0, 0, -1, -1], np.float32), size),
    }
    return spaces.Dict({PIXELS: pixels, **{name: every[name] for name in simulation.senses}})


def observe(simulation: Simulation) -> Observation:
    """Return what all N agents observe, with a first axis of N."""
    frames = np.zeros((simulation.num_envs, *simulation.frame_shape), np.uint8)
    if simulation.draws:
        simulation.draw(frames)
    if not simulation.senses:
        return frames
    return {PIXELS: frames, **{name: SENSES[name](simulation) for name in simulation.senses}}


def renew(simulation: Simulation, observation: Observation, which: npt.NDArray[np.int64]) -> None:
    """Write what some of the agents observe now into the observation of all."""
    for name in simulation.senses:
        observation[name][which] = SENSES[name](simulation)[which]
    if simulation.draws:
        frames = observation[PIXELS] if isinstance(observation, Mapping) else observation
        simulation.draw(frames, which)


def of_env(observation: Observation, index: int) -> Observation:
    """Return a copy of what one agent observes."""
    if isinstance(observation, Mapping):
        return {name: values[index].copy() for name, values in observation.items()}
    frame: npt.NDArray[Any] = observation[index].copy()
    return frame


def own_velocity(simulation: Simulation) -> npt.NDArray[np.float32]:
    """Return the velocity ahead, to the right and turning right, float32 (N, 3) in [-1, 1]."""
    state = simulation.state
    cos, sin = np.cos(state.heading), np.sin(state.heading)
    east, south = state.velocity.T / np.float32(TOP_SPEED)
    ahead, right = east * cos + south * sin, south * cos - east * sin
    velocity: npt.NDArray[np.float32] = np.stack([ahead, right, state.turning], axis=1)
    return velocity.clip(-1, 1)


def own_pose(simulation: Simulation) -> npt.NDArray[np.float32]:
    """Return where the agent is and looks, float32 (N, 4): x, y, cosine and sine of the heading.

    As GPS and compass tell it (Anderson et al. 2018). Lengths are in cells from the corner in the
    north-west, x to the east, y to the south; the heading is 0 in the east and grows to the right.
    """
    state = simulation.state
    return np.concatenate(
        [state.position, np.cos(state.heading)[:, None], np.sin(state.heading)[:, None]], axis=1
    )


SENSES: dict[str, Callable[[Simulation], npt.NDArray[np.float32]]] = {
    VELOCITY: own_velocity,
    POSE: own_pose,
}
"""What an agent may observe of itself beside the frame."""
