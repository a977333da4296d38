"""A policy that needs no learning, to collect data with: wandering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.dmlab.actions import ACTION_SETS
from ocrl_envs.wandering import Wandering

SLOW = 40.0
"""Units a second below which an agent that moves is stuck; at full speed it has 320."""


class WanderingPolicy:
    """Wanders, see `ocrl_envs.wandering`.

    It acts on a batch of Labs with the actions ``navigation8``, as the embedded maze's does on a
    batch of mazes.

    Args:
        speeds: returns how fast the agents are, (N,), in units a second.
        num_envs: N.
        seed: of its choices.
    """

    MOVES = np.asarray(ACTION_SETS["navigation8"][:, 2:4].any(1))

    def __init__(
        self, speeds: Callable[[], npt.NDArray[np.float64]], num_envs: int, seed: int
    ) -> None:
        self.speeds = speeds
        self._wandering = Wandering(self.MOVES, num_envs, seed)

    def __call__(self, observations: Any) -> npt.NDArray[np.int64]:
        """Return the actions, int64 (N,)."""
        return self._wandering.choose(self.speeds() < SLOW)
