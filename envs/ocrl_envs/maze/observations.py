"""Observations: frames, and the agent's own velocity where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ocrl_envs.maze.dynamics.motion import TOP_SPEED
from ocrl_envs.maze.simulation import Simulation

PIXELS, VELOCITY = "pixels", "velocity"

Observation = npt.NDArray[Any] | dict[str, npt.NDArray[Any]]


def observation_space(simulation: Simulation) -> spaces.Space[Any]:
    """Return the space of what one agent observes.

    ``pixels`` uint8 (H, W, 3) alone, or a Dict with ``velocity`` float32 (3,): ahead, to the right
    and turning right, as fractions of the top speed.
    """
    pixels = spaces.Box(0, 255, simulation.frame_shape, np.uint8)
    if not simulation.shows_velocity:
        return pixels
    return spaces.Dict({PIXELS: pixels, VELOCITY: spaces.Box(-1, 1, (3,), np.float32)})


def observe(simulation: Simulation) -> Observation:
    """Return what all N agents observe, with a first axis of N."""
    frames = np.zeros((simulation.num_envs, *simulation.frame_shape), np.uint8)
    if simulation.draws:
        simulation.draw(frames)
    if not simulation.shows_velocity:
        return frames
    return {PIXELS: frames, VELOCITY: own_velocity(simulation)}


def renew(simulation: Simulation, observation: Observation, which: npt.NDArray[np.int64]) -> None:
    """Write what some of the agents observe now into the observation of all."""
    if isinstance(observation, Mapping):
        observation[VELOCITY][which] = own_velocity(simulation)[which]
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
