"""Wandering: actions that are kept for a while, mostly ahead, and turns where one is stuck."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PROBABILITIES = (0.08, 0.08, 0.5, 0.02, 0.03, 0.03, 0.13, 0.13)
"""Of the eight actions that mazes have, here and in DeepMind Lab.

Look left, look right, forward, backward, strafe left and right, forward and look left and right.
"""


class Wandering:
    """The choices of N agents that wander.

    Args:
        moves: bool (8,), the actions by which an agent should get on.
        num_envs: N.
        seed: of the choices.
    """

    def __init__(self, moves: npt.NDArray[np.bool_], num_envs: int, seed: int) -> None:
        self.moves = moves
        self.num_envs = num_envs
        self.rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._action = np.zeros(num_envs, np.int64)
        self._remaining = np.zeros(num_envs, np.int64)
        self._since = np.zeros(num_envs, np.int64)

    def choose(self, is_slow: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the actions, int64 (N,): those being kept, or new ones where their time is up.

        Args:
            is_slow: bool (N,), whose speed says that something is in the way.
        """
        stuck = self.moves[self._action] & (self._since >= 2) & is_slow
        fresh = self._remaining <= 0
        drawn = self.rng.choice(len(PROBABILITIES), self.num_envs, p=PROBABILITIES)
        steps = self.rng.integers(2, 11, self.num_envs)
        away = self.rng.integers(2, size=self.num_envs)
        turn = self.rng.integers(5, 17, self.num_envs)
        self._action = np.where(stuck, away, np.where(fresh, drawn, self._action))
        self._remaining = np.where(stuck, turn, np.where(fresh, steps, self._remaining)) - 1
        self._since = np.where(stuck | fresh, 0, self._since + 1)
        return self._action.copy()
