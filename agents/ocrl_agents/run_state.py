"""The state of a training between two updates, but for weights and optimiser, as arrays by name.

Random numbers, environments with all that is around them, what they showed last, the policy's
memory, the episodes of which the log gives the mean, and what is to be logged next. With it a
training that was interrupted goes on as if nothing had happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces

from ocrl.errors import UsageError
from ocrl_agents.environment_state import (
    UnsavedError,
    get_environment_state,
    set_environment_state,
)
from ocrl_agents.ppo import TokenPPO
from ocrl_agents.random_numbers import get_random_numbers, set_random_numbers

Arrays = Mapping[str, npt.NDArray[Any]]

RANDOM, ENVIRONMENTS, OBSERVATIONS, LOG = "random", "environments", "observations", "log"
STARTS, MEMORY, EPISODES, SUCCESSES = "starts", "memory", "episodes", "successes"
_EPISODE = ("r", "l")
_NUMBER = int | float | np.number


def get_run_state(model: TokenPPO) -> dict[str, npt.NDArray[Any]]:
    """Return the state of a training; without environments where these cannot be saved."""
    pending = model.logger.name_to_value
    episodes, successes = model.ep_info_buffer or (), model.ep_success_buffer or ()
    state = {
        # in their own types: means of float32 are float32
        **_within(EPISODES, {key: np.array([e[key] for e in episodes]) for key in _EPISODE}),
        SUCCESSES: np.array(successes),
        **_within(RANDOM, get_random_numbers(model.device)),
        **_within(LOG, {k: float(v) for k, v in pending.items() if isinstance(v, _NUMBER)}),
    }
    try:
        environments = get_environment_state(model.env)
    except UnsavedError:
        return state
    shown: Any = model._last_obs
    return {
        **state,
        STARTS: np.array(model._last_episode_starts, np.bool_),
        MEMORY: model.memory.cpu().numpy(),
        **_within(OBSERVATIONS, shown if isinstance(shown, dict) else {"": shown}),
        **_within(ENVIRONMENTS, environments),
    }


def set_run_state(model: TokenPPO, state: Arrays) -> str | None:
    """Put a training of the same settings to where another was.

    Args:
        model: with its logger, its weights and its optimiser.
        state: of `get_run_state`; empty if there is none.

    Returns:
        Why it goes on with new episodes, if it does, else None. The environments are to be seeded
        then.

    Raises:
        UsageError: it is the state of other environments, or damaged.
    """
    if not state:
        return "was saved without environments and random numbers"
    try:
        _set_statistics(model, state)
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"the state of a training cannot be read ({error}): go on from another file"
        ) from error
    environments = _part(state, ENVIRONMENTS)
    if environments:
        _set_environments(model, state)
    # last: nothing is to draw in between
    set_random_numbers(_part(state, RANDOM), model.device)
    return None if environments else f"was saved without environments ({_obstacle(model)})"


def _set_statistics(model: TokenPPO, state: Arrays) -> None:
    size = model._stats_window_size
    episodes = _part(state, EPISODES)
    columns = zip(*(episodes[key] for key in _EPISODE), strict=True)
    model.ep_info_buffer = deque((dict(zip(_EPISODE, e, strict=True)) for e in columns), size)
    model.ep_success_buffer = deque(state[SUCCESSES], size)
    for name, value in _part(state, LOG).items():
        model.logger.record(name, float(value))


def _set_environments(model: TokenPPO, state: Arrays) -> None:
    assert model.env is not None, "a model to train has environments"
    space = model.observation_space
    entries = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    expected = {
        STARTS: (model.n_envs,),
        MEMORY: tuple(model.memory.shape),
        **{
            f"{OBSERVATIONS}:{key}": (model.n_envs, *(entry.shape or ()))
            for key, entry in entries.items()
        },
    }
    for name, shape in expected.items():
        found = state[name].shape if name in state else "nothing"
        if found != shape:
            raise UsageError(
                f"the training is saved with {name} {found}, expected {shape}: go on in as many "
                "environments of the same kind"
            )
    set_environment_state(model.env, _part(state, ENVIRONMENTS))
    # those of a reset that does not come
    model.env.unwrapped._reset_seeds()
    shown: Any = _part(state, OBSERVATIONS)
    model._last_obs = shown.get("", shown)
    model._last_episode_starts = state[STARTS]
    model.memory = torch.from_numpy(state[MEMORY]).to(model.device)


def _obstacle(model: TokenPPO) -> str:
    try:
        get_environment_state(model.env)
    except UnsavedError as error:
        return str(error)
    return "others than these"


def _within(part: str, arrays: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    return {f"{part}:{name}": np.asarray(array) for name, array in arrays.items()}


def _part(state: Arrays, part: str) -> dict[str, npt.NDArray[Any]]:
    prefix = f"{part}:"
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
