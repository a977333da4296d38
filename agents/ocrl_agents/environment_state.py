"""The state of environments and of the wrappers around them, as arrays by name.

Layers are asked from the outside in. Those of this project, and environments that can do it, have
`get_state` and `set_state` (`ocrl_envs.protocols.HasState`); of those of others it is known here
what they keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import SyncVectorEnv, VectorWrapper
from gymnasium.wrappers import AddRenderObservation, OrderEnforcing, PassiveEnvChecker, TimeLimit
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper, VecMonitor

from ocrl.errors import UsageError
from ocrl_agents.vec_env import GymnasiumVecEnv

Arrays = Mapping[str, npt.NDArray[Any]]

KEPT: dict[type, Sequence[str]] = {
    VecMonitor: ("episode_count", "episode_returns", "episode_lengths"),
    Monitor: ("rewards", "needs_reset", "total_steps"),
    TimeLimit: ("_elapsed_steps",),
    OrderEnforcing: ("_has_reset",),
    PassiveEnvChecker: (),
    AddRenderObservation: (),
    GymnasiumVecEnv: (),
    DummyVecEnv: (),
    SyncVectorEnv: ("_autoreset_envs",),
}
"""Class of others -> the attributes in which it keeps what it goes on from."""


class UnsavedError(UsageError):
    """There is a layer whose state nobody knows how to take."""


def get_environment_state(env: Any) -> dict[str, npt.NDArray[Any]]:
    """Return the state of an environment and of all that is around it.

    Args:
        env: of stable-baselines3 or Gymnasium, one or a batch, wrapped or not.

    Raises:
        UnsavedError: a part of it has no state that could be taken.
    """
    state: dict[str, npt.NDArray[Any]] = {}
    for place, layer in _layers(env):
        state |= {f"{place}.{name}": array for name, array in _own_state(layer).items()}
    return state


def set_environment_state(env: Any, state: Arrays) -> None:
    """Put an environment, and all that is around it, to where another was that was made alike.

    Args:
        env: as `get_environment_state` takes it.
        state: that it returned.

    Raises:
        UsageError: it is the state of another environment.
        UnsavedError: as `get_environment_state`.
    """
    layers = _layers(env)
    saved: dict[str, dict[str, npt.NDArray[Any]]] = {place: {} for place, _ in layers}
    for key, array in state.items():
        place, _, name = key.rpartition(".")
        if place not in saved:
            raise UsageError(
                f"the training was saved with {key}, which these environments do not have: go on "
                "in those of the training"
            )
        saved[place][name] = array
    for place, layer in layers:
        parts = saved[place]
        try:
            _set_own_state(layer, parts)
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"the state of {type(layer).__name__} does not fit it ({error!r}): go on in the "
                "environments of the training"
            ) from error


def _layers(env: Any, place: str = "env") -> list[tuple[str, Any]]:
    """Return an environment and all within it, each with a name for its place."""
    inner: Sequence[Any] = ()
    if isinstance(env, VecEnvWrapper):
        inner = [env.venv]
    elif isinstance(env, VectorWrapper | gym.Wrapper):
        inner = [env.env]
    elif isinstance(env, GymnasiumVecEnv):
        inner = [env.envs]
    elif isinstance(env, SyncVectorEnv | DummyVecEnv):
        inner = env.envs
    within = [_layers(each, f"{place}/{number}") for number, each in enumerate(inner)]
    return [(place, env), *(layer for layers in within for layer in layers)]


def _own_state(layer: Any) -> Arrays:
    # asked of the class: some wrappers pass on whatever they are asked for
    if hasattr(type(layer), "get_state"):
        state: Arrays = layer.get_state()
        return state
    if type(layer) not in KEPT:
        raise UnsavedError(f"{type(layer).__name__} has no get_state")
    return {name: np.array(getattr(layer, name)) for name in KEPT[type(layer)]}


def _set_own_state(layer: Any, state: Arrays) -> None:
    if hasattr(type(layer), "set_state"):
        layer.set_state(state)
        return
    if type(layer) not in KEPT:
        raise UnsavedError(f"{type(layer).__name__} has no set_state")
    for name in KEPT[type(layer)]:
        before, value = getattr(layer, name), state[name]
        if isinstance(before, np.ndarray):
            if value.shape != before.shape:
                raise ValueError(f"{name} is {value.shape}, not {before.shape}")
            setattr(layer, name, value.astype(before.dtype))
        else:
            setattr(layer, name, value.tolist())
