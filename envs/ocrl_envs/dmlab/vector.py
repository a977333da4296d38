"""Many Labs at once, each in a process of its own."""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.vector.async_vector_env import AsyncState

from ocrl_envs.dmlab.actions import action_space
from ocrl_envs.dmlab.environment import DeepMindLabEnv
from ocrl_envs.dmlab.named_mazes import maze_texts
from ocrl_envs.dmlab.policies import WanderingPolicy
from ocrl_envs.errors import UsageError
from ocrl_envs.protocols import Policy


class DeepMindLabVectorEnv(AsyncVectorEnv[Any, Any]):
    """Gymnasium's AsyncVectorEnv, with seeds that neighbouring runs do not share."""

    policies = ("random", "wandering")
    rollout_policy = "wandering"

    def reset_async(
        self,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Start a reset; ``np.random.SeedSequence.spawn`` makes one seed into one per worker."""
        if isinstance(seed, int | np.integer):
            children = np.random.SeedSequence(int(seed)).spawn(self.num_envs)
            seed = [int(child.generate_state(1, np.uint64)[0]) for child in children]
        super().reset_async(seed=seed, options=options)

    def reset_wait(self, timeout: float | None = None) -> tuple[Any, dict[str, Any]]:
        """Finish a reset.

        Raises:
            UsageError: DeepMind Lab does not know the level, an observation or a setting, or ended
                the process of a worker.
        """
        with _usage_errors_alone():
            try:
                return super().reset_wait(timeout)
            except (EOFError, ConnectionResetError) as error:
                self.close(terminate=True)
                raise UsageError(
                    "DeepMind Lab ended the process of a worker at its reset: check its settings, "
                    "and memory; a single DeepMindLabEnv in a process of its own shows what the "
                    "engine says"
                ) from error

    def make_policy(self, name: str, seed: int = 0) -> Policy:
        """Return a policy without learning; to be called before the first reset.

        Raises:
            UsageError: there is no such policy, or it does not know these actions.
        """
        if name == "random":
            self.action_space.seed(seed)
            return lambda observations: np.asarray(self.action_space.sample())
        if name not in self.policies:
            raise UsageError(f"no policy {name!r}: choose from {', '.join(self.policies)}")
        if self.single_action_space != action_space("navigation8"):
            raise UsageError("the wandering policy needs actions=navigation8: take random")
        self.call("ask_for_speed")
        return WanderingPolicy(lambda: np.array(self.call("speed")), self.num_envs, seed)

    def close_extras(self, timeout: float | None = None, terminate: bool = False) -> None:
        """End the workers; after an interrupted reset or step, without waiting for its results."""
        terminate = terminate or self._state is not AsyncState.DEFAULT
        self._state = AsyncState.DEFAULT
        super().close_extras(timeout, terminate)


def make_vector_env(
    num_envs: int, *, autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP, **kwargs: Any
) -> DeepMindLabVectorEnv:
    """Build a batch of environments, one subprocess each.

    The workers are fresh interpreters that import Gymnasium and DeepMind Lab, but neither torch nor
    the script that started them; this process runs no Lab at all.

    Args:
        num_envs: number of environments, and of processes.
        autoreset_mode: when an environment whose episode has ended starts the next one.
        **kwargs: see ``DeepMindLabEnv``.

    Raises:
        UsageError: there is no environment to make, or what ``DeepMindLabEnv`` objects to.
    """
    if num_envs < 1:
        raise UsageError(f"num_envs={num_envs}: give at least 1")
    if kwargs.get("maze_text") is None and (level := kwargs.pop("mazes_of", None)) is not None:
        # once here, not once in every worker
        split, num_layouts = kwargs.pop("split", "train"), kwargs.pop("num_layouts", None)
        kwargs["maze_text"] = maze_texts(level, split, num_layouts)
    make_env = partial(DeepMindLabEnv, **kwargs)
    with _main_module_hidden(), _interrupts_ignored():
        return DeepMindLabVectorEnv(
            [make_env] * num_envs,
            # Through shared memory, instructions would stay what they were at the start.
            shared_memory=False,
            context="spawn",
            autoreset_mode=autoreset_mode,
        )


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep spawned processes from importing the running script, and with it torch."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Keep Ctrl-C, which reaches all processes of a terminal, from those started here.

    The one that started them ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _usage_errors_alone() -> Iterator[None]:
    """Drop the traceback that Gymnasium logs for a worker's UsageError, which says it all."""
    logged: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as logged:
            yield
    except UsageError:
        logged.clear()
        raise
    finally:
        for entry in logged:
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
