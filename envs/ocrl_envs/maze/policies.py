"""Policies that need no learning: to collect data, and to compare with.

All act on a whole batch: ``policy(observations)`` returns one action for each maze.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from ocrl_envs import protocols
from ocrl_envs.errors import UsageError
from ocrl_envs.maze.dynamics.driving import cell_on_right, drive_towards
from ocrl_envs.maze.dynamics.motion import ACTION_NAMES, ACTION_TABLE
from ocrl_envs.maze.planning.plans import decide, empty_plans
from ocrl_envs.maze.simulation import Simulation
from ocrl_envs.wandering import Wandering

Actions = npt.NDArray[np.int64]
AnyEnv = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]

LOOK_LEFT, LOOK_RIGHT, FORWARD, BACKWARD = range(4)


class Policy(ABC):
    """Chooses an action for each maze of a batch.

    Args:
        simulation: the mazes, of which a policy may know more than the frames show.
        seed: of its random choices.
    """

    def __init__(self, simulation: Simulation, seed: int) -> None:
        self.simulation = simulation
        self.num_envs = simulation.num_envs
        self.rng = np.random.default_rng(np.random.SeedSequence(seed))

    @abstractmethod
    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return the actions, int64 (N,), for frames, uint8 (N, H, W, 3)."""


class RandomPolicy(Policy):
    """Every action is equally likely at every step."""

    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return random actions."""
        return self.rng.integers(len(ACTION_NAMES), size=self.num_envs)


class WanderingPolicy(Policy):
    """Wanders, see `ocrl_envs.wandering`."""

    MOVES = np.any(ACTION_TABLE[:, 1:] != 0, axis=1)
    STUCK_SPEED = 0.6

    def __init__(self, simulation: Simulation, seed: int) -> None:
        super().__init__(simulation, seed)
        self._wandering = Wandering(self.MOVES, self.num_envs, seed)

    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return the actions being kept, or new ones where their time is up."""
        speed = np.hypot(*self.simulation.state.velocity.T)
        return self._wandering.choose(speed < self.STUCK_SPEED)


class WallFollowerPolicy(Policy):
    """Keeps a wall at its right hand, cell by cell, and sees no goal."""

    def __init__(self, simulation: Simulation, seed: int) -> None:
        super().__init__(simulation, seed)
        self._cell = np.full((self.num_envs, 2), -1, np.int64)
        self._target = np.full((self.num_envs, 2), -1, np.int64)

    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return actions that drive to the next cell along the wall."""
        cell = self.simulation.state.position[:, ::-1].astype(np.int64)
        lost = np.abs(cell - self._cell).sum(1) > 1
        arrived = lost | (self._target < 0).any(1) | (cell == self._target).all(1)
        maps, state = self.simulation.maps, self.simulation.state
        for index in np.flatnonzero(arrived):
            layout, (x, y) = state.layout[index], state.position[index]
            self._target[index] = cell_on_right(
                maps.horizontal[layout], maps.vertical[layout], x, y, state.heading[index]
            )
        self._cell = cell
        return drive_towards(state, self._target[:, ::-1] + 0.5)


class OraclePolicy(Policy):
    """Drives as fast as the dynamics allow: to the goal, and to things on the way that pay.

    Where there is no goal: to all good things, around the bad ones. It looks ahead about a second,
    in the true dynamics; see ``planning``.
    """

    def __init__(self, simulation: Simulation, seed: int) -> None:
        super().__init__(simulation, seed)
        self._plans = empty_plans(simulation.state)

    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return the next actions of each maze's plan."""
        simulation = self.simulation
        actions = np.empty(self.num_envs, np.int64)
        decide(
            simulation.maps,
            simulation.rules,
            simulation.state,
            self._plans,
            simulation.level.num_steps,
            simulation.action_repeat,
            actions,
        )
        return actions


class MixedPolicy(Policy):
    """Half of the mazes wander, a quarter follow walls, a quarter are driven to goals.

    For data: who only wanders looks at a bare wall in a third of all frames, and at few things.
    """

    def __init__(self, simulation: Simulation, seed: int) -> None:
        super().__init__(simulation, seed)
        self._policies = (
            WanderingPolicy(simulation, seed),
            WallFollowerPolicy(simulation, seed),
            OraclePolicy(simulation, seed),
        )
        # in turn, so that a small batch has all of them
        self._choice = np.resize([0, 1, 0, 2], self.num_envs)

    def __call__(self, observations: npt.NDArray[np.uint8]) -> Actions:
        """Return the action of each maze's own policy."""
        return np.choose(self._choice, [policy(observations) for policy in self._policies])


POLICIES: dict[str, type[Policy]] = {
    "random": RandomPolicy,
    "wandering": WanderingPolicy,
    "wall_follower": WallFollowerPolicy,
    "oracle": OraclePolicy,
    "mixed": MixedPolicy,
}


def make_policy(name: str, env: AnyEnv, seed: int = 0) -> protocols.Policy:
    """Return a policy for a maze environment, single or vector, wrapped or not.

    Args:
        name: "random", "wandering", "wall_follower", "oracle" or "mixed".
        env: the environment whose mazes it is to act in.
        seed: of its random choices.

    Raises:
        UsageError: there is no such policy, or the environment is not a maze.

    Example:
        >>> envs = gymnasium.make_vec("ocrl_envs:ocrl/NavMaze-v0", num_envs=2, num_layouts=1)
        >>> policy = make_policy("wandering", envs, seed=0)
        >>> frames, _ = envs.reset(seed=0)
        >>> policy(frames).shape
        (2,)
    """
    maze = env.unwrapped
    if not isinstance(maze, protocols.HasPolicies):
        raise UsageError(f"policy {name!r} acts in the embedded maze, not in {type(maze).__name__}")
    return maze.make_policy(name, seed)
