"""A policy that needs no learning, to collect data with: wandering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.dmlab.actions import ACTION_SETS

SLOW = 40.0
"""Units a second below which an agent that moves is stuck; at full speed it has 320."""


class WanderingPolicy:
    """Keeps an action for some decisions, mostly ahead, and turns away when it is stuck.

    It acts on a batch of Labs with the actions ``navigation8``, as the embedded maze's does on a
    batch of mazes.

    Args:
        speeds: returns how fast the agents are, (N,), in units a second.
        num_envs: N.
        seed: of its choices.
    """

    PROBABILITIES = (0.08, 0.08, 0.5, 0.02, 0.03, 0.03, 0.13, 0.13)
    MOVES = np.asarray(ACTION_SETS["navigation8"][:, 2:4].any(1))

    def __init__(
        self, speeds: Callable[[], npt.NDArray[np.float64]], num_envs: int, seed: int
    ) -> None:
        self.speeds = speeds
        self.num_envs = num_envs
        self.rng = np.random.default_rng(np.random.SeedSequence(seed))
        self._action = np.zeros(num_envs, np.int64)
        self._remaining = np.zeros(num_envs, np.int64)
        self._since = np.zeros(num_envs, np.int64)

    def __call__(self, observations: Any) -> npt.NDArray[np.int64]:
        """Return the actions, int64 (N,): those being kept, or new ones where their time is up."""
        stuck = self.MOVES[self._action] & (self._since >= 2) & (self.speeds() < SLOW)
        fresh = self._remaining <= 0
        drawn = self.rng.choice(len(self.MOVES), self.num_envs, p=self.PROBABILITIES)
        steps = self.rng.integers(2, 11, self.num_envs)
        away = self.rng.integers(2, size=self.num_envs)
        turn = self.rng.integers(5, 17, self.num_envs)
        self._action = np.where(stuck, away, np.where(fresh, drawn, self._action))
        self._remaining = np.where(stuck, turn, np.where(fresh, steps, self._remaining)) - 1
        self._since = np.where(stuck | fresh, 0, self._since + 1)
        return self._action.copy()
