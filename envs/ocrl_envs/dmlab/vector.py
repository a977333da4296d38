"""Many Labs at once, each in a process of its own."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from ocrl_envs.dmlab.environment import DeepMindLabEnv
from ocrl_envs.errors import UsageError


class DeepMindLabVectorEnv(AsyncVectorEnv[Any, Any]):
    """Gymnasium's AsyncVectorEnv, with seeds that neighbouring runs do not share."""

    def reset_async(
        self,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Start a reset; ``np.random.SeedSequence.spawn`` makes one seed into one per worker."""
        if isinstance(seed, int):
            children = np.random.SeedSequence(seed).spawn(self.num_envs)
            seed = [int(child.generate_state(1, np.uint64)[0]) for child in children]
        super().reset_async(seed=seed, options=options)

    def reset_wait(self, timeout: float | None = None) -> tuple[Any, dict[str, Any]]:
        """Finish a reset.

        Raises:
            UsageError: DeepMind Lab does not know the level, an observation or a setting.
        """
        with _usage_errors_alone():
            return super().reset_wait(timeout)


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
    make_env = partial(DeepMindLabEnv, **kwargs)
    with _main_module_hidden():
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
