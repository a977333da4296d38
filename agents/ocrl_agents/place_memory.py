"""Where rewards were, as an observation: a memory of places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from ocrl.errors import UsageError

POSE, PLACES = "pose", "rewarded_places"
Array = npt.NDArray[np.float32]


class VecPlaceMemory(VecEnvWrapper):
    """Replaces an agent's pose by where, seen from it, its episode has brought it rewards.

    An agent that has found the goal once can go back, wherever it is put. What it is told of a
    place is what its own steps have taught it: the reward that a step there brought, and from its
    pose then and now how near it is and in which direction. The extractors read all places as one
    more token. Where two rewards came from the same place, the later one counts.

    Args:
        venv: environments that show their `pose`, float32 (4,): x, y, cosine and sine of the
            heading, which grows from x towards y.
        num_places: so many are remembered, those with the largest rewards.
        radius: two places that are nearer to each other are one, in units of the pose.

    Raises:
        UsageError: the environments do not show a pose, or no place is to be remembered.
    """

    def __init__(self, venv: VecEnv, num_places: int, *, radius: float = 1.0) -> None:
        space = venv.observation_space
        entries = dict(space.spaces) if isinstance(space, spaces.Dict) else {}
        pose = entries.pop(POSE, None)
        if pose is None or pose.shape != (4,):
            raise UsageError(
                f"agent.place_memory={num_places} remembers where the agent was, but {space} does "
                "not tell it: take an environment that shows its pose, env.pose=true"
            )
        if num_places < 1:
            raise UsageError(f"num_places={num_places}: remember at least one place")
        self.num_places, self._radius = num_places, radius
        entries[PLACES] = spaces.Box(-np.inf, np.inf, (num_places, 4), np.float32)
        super().__init__(venv, observation_space=spaces.Dict(entries))
        self._before = np.zeros((venv.num_envs, 4), np.float32)
        self._places = np.zeros((venv.num_envs, num_places, 2), np.float32)
        self._rewards = np.zeros((venv.num_envs, num_places), np.float32)

    def reset(self) -> VecEnvObs:
        """Reset all environments; nothing is remembered."""
        observations: Any = self.venv.reset()
        self._rewards[:] = 0
        self._before = np.array(observations[POSE], np.float32)
        return self._look_back(observations)

    def step_wait(self) -> VecEnvStepReturn:
        """Remember the places of rewards, and forget those of episodes that ended."""
        observations: Any
        observations, rewards, dones, infos = self.venv.step_wait()
        # where the agent was before the step: a goal may have put it elsewhere
        for i in np.flatnonzero(rewards):
            self._remember(int(i), self._before[i, :2], float(rewards[i]))
        infos = list(infos)
        for i in np.flatnonzero(dones):
            final = {key: value[None] for key, value in infos[i]["terminal_observation"].items()}
            last: Any = self._look_back(final, slice(i, i + 1))
            own = {key: value[0] for key, value in last.items()}
            infos[i] = {**infos[i], "terminal_observation": own}
        self._rewards[dones] = 0
        self._before = np.array(observations[POSE], np.float32)
        return self._look_back(observations), rewards, dones, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is remembered, and the last poses."""
        kept = {"before": self._before, "places": self._places, "rewards": self._rewards}
        return {name: array.copy() for name, array in kept.items()}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with what `get_state` returned."""
        kept = {"before": self._before, "places": self._places, "rewards": self._rewards}
        for name, array in kept.items():
            if state[name].shape != array.shape:
                raise ValueError(f"{name} of {state[name].shape}, not {array.shape}")
            array[:] = state[name]

    def _remember(self, i: int, place: npt.NDArray[Any], reward: float) -> None:
        """Put a place where its reward belongs, the largest first, in place of the same one."""
        others = self._rewards[i] != 0
        others &= np.hypot(*(self._places[i] - place).T) >= self._radius
        places = np.concatenate([place[None], self._places[i][others]])
        rewards = np.concatenate([[reward], self._rewards[i][others]])
        best = np.argsort(-rewards, kind="stable")[: self.num_places]
        self._places[i], self._rewards[i] = 0, 0
        self._places[i, : len(best)], self._rewards[i, : len(best)] = places[best], rewards[best]

    def _look_back(self, observations: Mapping[str, Any], which: slice = slice(None)) -> VecEnvObs:
        """Return observations of some environments with places for the pose.

        Of each place the reward, nearness 1 / (1 + distance), and the sine and cosine of its
        bearing, to the right of the heading; zeros where there is none.
        """
        pose: Array = np.asarray(observations[POSE], np.float32)
        offset = self._places[which] - pose[:, None, :2]
        cos, sin = pose[:, 2:3], pose[:, 3:4]
        ahead = offset[..., 0] * cos + offset[..., 1] * sin
        right = offset[..., 1] * cos - offset[..., 0] * sin
        distance = np.hypot(ahead, right)
        scale = 1 / np.maximum(distance, 1e-6)
        rewards = self._rewards[which]
        told = np.stack([rewards, 1 / (1 + distance), right * scale, ahead * scale], axis=-1)
        shown = {key: value for key, value in observations.items() if key != POSE}
        return {**shown, PLACES: np.where(rewards[..., None] != 0, told, 0).astype(np.float32)}
