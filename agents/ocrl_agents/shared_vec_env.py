"""A batch of environments in several processes, each with an encoder of its own.

What is stepped and encoded in parts is what one process would have made of the whole: environments
know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import (
    CloudpickleWrapper,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ocrl.errors import UsageError
from ocrl_agents.environment_state import get_environment_state, set_environment_state
from ocrl_agents.vec_env import environment_seeds, set_seeds
from ocrl_agents.workers import Command, Workers

MakeBatch = Callable[[int], VecEnv]
"""Builds a batch of as many environments as it is told."""

Batches = dict[int, VecEnv]
"""What a process keeps."""


class SharedVecEnv(VecEnv):
    """A batch of which each of several processes makes and keeps a share, in their order.

    Args:
        workers: the processes, at least two.
        make: makes a share. It is pickled, with the encoder that it may hold.
        num_envs: size N of the batch.

    Raises:
        UsageError: there are fewer environments than processes.
        Exception: what `make` raised.
    """

    def __init__(self, workers: Workers, make: MakeBatch, num_envs: int) -> None:
        if num_envs < len(workers):
            raise UsageError(
                f"{num_envs} environments cannot be shared by {len(workers)} workers: take at most "
                f"{num_envs} workers, or more environments"
            )
        self._workers, self._number = workers, next(workers.numbers)
        bounds = np.linspace(0, num_envs, len(workers) + 1).round().astype(int)
        self._shares = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        sizes = [share.stop - share.start for share in self._shares]
        made = self._do(_make, [(CloudpickleWrapper(make), size) for size in sizes])
        observation_space, action_space = made[0]
        super().__init__(num_envs, observation_space, action_space)

    def reset(self) -> VecEnvObs:
        """Reset all environments, with the seeds and options set beforehand."""
        parts = self._do(_reset, [(self._seeds[s], self._options[s]) for s in self._shares])
        self.reset_infos = [info for _, infos in parts for info in infos]
        self._reset_seeds()
        self._reset_options()
        observations: VecEnvObs = _joined([shown for shown, _ in parts])
        return observations

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Send each process its actions."""
        self._send(_step, [(actions[share],) for share in self._shares])

    def step_wait(self) -> VecEnvStepReturn:
        """Wait for all."""
        shown, rewards, dones, infos = zip(*self._workers.receive(), strict=True)
        rows = [info for part in infos for info in part]
        return _joined(shown), np.concatenate(rewards), np.concatenate(dones), rows

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set independent seeds for the next reset."""
        if seed is None:
            return super().seed(seed)
        return set_seeds(self, environment_seeds(seed, self.num_envs))

    def close(self) -> None:
        """Close the environments, if they are still there; processes stay for other batches."""
        if len(self._workers):
            self._all("close")

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state of all environments and of what is around them."""
        parts = self._do(_get_state, [()] * len(self._shares))
        return {
            # names have no dots, places do
            f"{number}/{name.replace('.', '|')}": array
            for number, part in enumerate(parts)
            for name, array in part.items()
        }

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on where `get_state` was called, in as many processes."""
        parts: list[dict[str, npt.NDArray[Any]]] = [{} for _ in self._shares]
        for key, array in state.items():
            number, _, name = key.partition("/")
            parts[int(number)][name.replace("|", ".")] = array
        self._do(_set_state, [(part,) for part in parts])

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the environments."""
        return self._rows(indices, "get_attr", attr_name)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the environments."""
        self._of(self._places(indices), "set_attr", attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the environments."""
        return self._rows(indices, "env_method", method_name, *method_args, **method_kwargs)

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Say of each whether it is within a wrapper of that class."""
        return self._rows(indices, "env_is_wrapped", wrapper_class)

    def get_images(self) -> Sequence[npt.NDArray[Any] | None]:
        """Render every environment."""
        return [image for images in self._all("get_images") for image in images]

    def _all(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call a method of the batch in each process."""
        return self._do(_method, [(name, args, kwargs)] * len(self._shares))

    def _rows(self, indices: VecEnvIndices, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Return what a method of the batch returns for the environments, in their order."""
        places = self._places(indices)
        parts = [iter(rows) for rows in self._of(places, name, *args, **kwargs)]
        return [next(parts[worker]) for worker, _ in places]

    def _of(self, places: Sequence[tuple[int, int]], name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the batch for those environments, where there are any of them."""
        chosen: list[list[int]] = [[] for _ in self._shares]
        for worker, index in places:
            chosen[worker].append(index)
        return self._do(_method_of, [(own, name, args, kwargs) for own in chosen])

    def _places(self, indices: VecEnvIndices) -> list[tuple[int, int]]:
        """Return in which process each of the environments is, and its index there."""
        every = [(w, i) for w, s in enumerate(self._shares) for i in range(s.stop - s.start)]
        return [every[i] for i in self._get_indices(indices)]

    def _do(self, command: Command, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        self._send(command, arguments)
        return self._workers.receive()

    def _send(self, command: Command, arguments: Sequence[tuple[Any, ...]]) -> None:
        self._workers.send(command, [(self._number, *own) for own in arguments])


@contextmanager
def cores_left_to_workers(venv: VecEnv) -> Iterator[None]:
    """Take one thread while a batch is played, if processes that need the cores play it."""
    before = torch.get_num_threads()
    if isinstance(venv.unwrapped, SharedVecEnv):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_shared(workers: Workers, make: MakeBatch, num_envs: int) -> VecEnv:
    """Return a batch that is shared by processes, or is in this one if there are none.

        with Workers(4) as workers:
            make_ppo(make_shared(workers, make_slots, 64), seed=0, n_steps=128).learn(1_000_000)

    Args:
        workers: the processes.
        make: makes a share, such as a `VecSlotObservation` of as many environments as it is told.
        num_envs: of all.
    """
    return SharedVecEnv(workers, make, num_envs) if len(workers) else make(num_envs)


def _make(batches: Batches, number: int, make: CloudpickleWrapper, num_envs: int) -> Any:
    batches[number] = venv = make.var(num_envs)
    return venv.observation_space, venv.action_space


def _reset(batches: Batches, number: int, seeds: list[int | None], options: list[Any]) -> Any:
    venv = batches[number]
    set_seeds(venv, seeds)
    venv.set_options(options)
    return venv.reset(), venv.unwrapped.reset_infos


def _step(batches: Batches, number: int, actions: npt.NDArray[Any]) -> VecEnvStepReturn:
    return batches[number].step(actions)


def _get_state(batches: Batches, number: int) -> Any:
    return get_environment_state(batches[number])


def _set_state(batches: Batches, number: int, state: Mapping[str, npt.NDArray[Any]]) -> None:
    set_environment_state(batches[number], state)


def _method(
    batches: Batches, number: int, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    return getattr(batches[number], name)(*args, **kwargs)


def _method_of(
    batches: Batches,
    number: int,
    indices: list[int],
    name: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    return getattr(batches[number], name)(*args, indices=indices, **kwargs) if indices else []


def _joined(parts: Sequence[Any]) -> Any:
    """Return one batch of observations: an array, or a dictionary of arrays."""
    if isinstance(parts[0], dict):
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate(parts)
