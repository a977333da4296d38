"""The maze as a world: what it offers beyond Gymnasium, see ``ocrl_envs.protocols``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.facts import list_facts
from ocrl_envs.maze.ground_truth import observe_truth
from ocrl_envs.maze.policies import POLICIES, Policy
from ocrl_envs.maze.rendering.topdown import Trails, draw_map
from ocrl_envs.maze.rendering.views import NUM_STUFF, SEGMENT_KINDS
from ocrl_envs.maze.saved_state import limits_of, restore
from ocrl_envs.maze.simulation import Simulation
from ocrl_envs.maze.tokens import describe


class MazeWorld:
    """Ground truth, tokens, policies, layouts and map of N mazes; N = 1 of a single one.

    Attributes:
        simulation: the mazes.
    """

    simulation: Simulation
    _running: npt.NDArray[np.bool_]
    _seeded: npt.NDArray[np.bool_]
    _trails: Trails | None
    segment_kinds = SEGMENT_KINDS
    num_stuff = NUM_STUFF
    policies = tuple(POLICIES)
    rollout_policy = "mixed"

    def annotations(self) -> dict[str, npt.NDArray[Any]]:
        """Return segments (N, H, W), position (N, 2) and heading (N,) of the current frames."""
        truth = observe_truth(self.simulation)
        return {
            "segments": truth.segments,
            "position": truth.position,
            "heading": truth.heading,
        }

    @property
    def draws(self) -> bool:
        """Whether observations are drawn; they are black otherwise."""
        return self.simulation.draws

    @draws.setter
    def draws(self, draws: bool) -> None:
        self.simulation.draws = draws

    def describe(self) -> npt.NDArray[np.float32]:
        """Return a token for each thing, and a last one for the walls: see ``tokens.describe``."""
        return describe(self.simulation)

    def facts(self) -> dict[str, npt.NDArray[Any]]:
        """Return what the frames show of walls and things: see ``facts.list_facts``."""
        return list_facts(self.simulation)

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that the mazes go on from, their random numbers included."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what ``get_state`` returned; what is drawn of the way so far begins here.

        Raises:
            UsageError: it is the state of other mazes.
        """
        restore(self._arrays(), state, limits_of(self.simulation))
        if self._trails is not None:
            for index in range(self.simulation.num_envs):
                self._trails.begin(index)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        flags = {"running": self._running, "seeded": self._seeded}
        return self.simulation.state._asdict() | flags

    def make_policy(self, name: str, seed: int = 0) -> Policy:
        """Return a policy that acts in these mazes.

        Args:
            name: "random", "wandering", "wall_follower", "oracle" or "mixed".
            seed: of its random choices.

        Raises:
            UsageError: there is no such policy.
        """
        if name not in POLICIES:
            near = difflib.get_close_matches(name, POLICIES, n=1, cutoff=0.0)[0]
            raise UsageError(f"no policy {name!r}: choose {near!r} or another of {list(POLICIES)}")
        return POLICIES[name](self.simulation, seed)

    @property
    def num_layouts(self) -> int:
        """How many layouts episodes are drawn from."""
        return len(self.simulation.layouts)

    def frames(self) -> npt.NDArray[np.uint8]:
        """Return what the agents see, uint8 (N, H, W, 3)."""
        return self.simulation.draw()

    def places(self) -> npt.NDArray[np.float32]:
        """Return where the agents are, float32 (N, 2), x and y in cells."""
        return self.simulation.state.position.copy()

    def draw_map(
        self, index: int, trail: npt.NDArray[np.floating[Any]], size: int
    ) -> npt.NDArray[np.uint8]:
        """Return a map of one maze with the way of its agent, uint8 (size, size, 3)."""
        return draw_map(self.simulation, index, trail, size)
