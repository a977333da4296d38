"""A bonus for going where the episode has not been, beside what the environment pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    VecEnv,
    VecEnvWrapper,
    VecMonitor,
    is_vecenv_wrapped,
)
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ocrl.errors import UsageError

Places = Callable[[], npt.NDArray[Any]]
"""Returns where the agents of N environments are, (N, d)."""

Cell = tuple[int, ...]


class VecVisitBonus(VecEnvWrapper):
    """Pays a bonus for each place that its episode has not been in before.

    Rewards that are rare teach little; with the bonus a policy first learns to get about, and finds
    them on its way. It is one of the episodic bonuses of a count that Henaff et al. 2023 compare.
    Nothing of it is observed: the policy sees what it would see without, and acts without it
    afterwards.

    What an episode brings is counted inside, so what is logged is the environment's return. One
    that pays 1:

        >>> import itertools
        >>> steps = itertools.count()
        >>> paid = VecVisitBonus(venv, lambda: np.full((2, 2), next(steps)), bonus=3.0)
        >>> _ = paid.reset()
        >>> paid.step(np.zeros(2, int))[1].tolist()
        [4.0, 4.0]

    Args:
        venv: environments.
        places: where their agents are.
        bonus: for each new place, in the units of the reward.
        side: of the squares that count as one place, in the units of ``places``.

    Raises:
        UsageError: the bonus is below zero, or a place has no extent.
    """

    def __init__(self, venv: VecEnv, places: Places, *, bonus: float, side: float = 1.0) -> None:
        if not (bonus >= 0 and side > 0):
            raise UsageError(
                f"bonus={bonus}, side={side}: take a bonus of at least 0, for squares of a side "
                "above 0"
            )
        super().__init__(venv if is_vecenv_wrapped(venv, VecMonitor) else VecMonitor(venv))
        self._places, self._bonus, self._side = places, bonus, side
        self._visited: list[set[Cell]] = [set() for _ in range(venv.num_envs)]

    def reset(self) -> VecEnvObs:
        """Reset all environments; where they begin is known."""
        observations = self.venv.reset()
        self._visited = [{cell} for cell in self._cells()]
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        """Pay for new places."""
        observations, rewards, dones, infos = self.venv.step_wait()
        rewards = rewards.astype(np.float32)
        for i, cell in enumerate(self._cells()):
            if dones[i]:  # this is where the next episode begins, which is no merit
                self._visited[i] = {cell}
            elif cell not in self._visited[i]:
                self._visited[i].add(cell)
                rewards[i] += self._bonus
        return observations, rewards, dones, infos

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Say that episodes are counted already, wherever this is asked from."""
        inside = self.venv.env_is_wrapped(wrapper_class, indices)
        return [is_inside or wrapper_class is Monitor for is_inside in inside]

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return where each episode has been: int64 (M, 1 + d), an environment and a square."""
        rows = [(i, *cell) for i, cells in enumerate(self._visited) for cell in sorted(cells)]
        return {"visited": np.array(rows, np.int64)}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with what `get_state` returned."""
        visited: list[set[Cell]] = [set() for _ in range(self.num_envs)]
        for i, *cell in state["visited"].tolist():
            visited[i].add(tuple(cell))
        self._visited = visited

    def _cells(self) -> list[Cell]:
        squares = np.floor(self._places() / self._side).astype(np.int64)
        return [tuple(square) for square in squares.tolist()]
