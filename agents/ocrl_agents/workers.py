"""Processes that keep things, and do with them what they are told, all at once."""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Callable, Sequence
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch

from ocrl.errors import UsageError
from ocrl.process import keep_freed_memory, keep_to_own_cores, yield_to_others

Command = Callable[..., Any]
"""What a process does: what it keeps, a dictionary by number, and further arguments in; pickled."""

PATIENCE = 5.0
"""Seconds that a process has to end on its own."""


class Workers:
    """Processes with one thread each, to be used in a ``with``, which ends them.

    They are started anew (*spawn*): what they are given is pickled, and a script that makes them
    has its commands under ``if __name__ == "__main__":``.

    Args:
        number: of processes; 1: none at all, this one does it.

    Attributes:
        numbers: for what they keep, each once.

    Raises:
        UsageError: there is to be none at all.
    """

    def __init__(self, number: int) -> None:
        if number < 1:
            raise UsageError(f"{number} workers do nothing: take 1, this process alone, or more")
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes: list[SpawnProcess] = []
        for each in range(number if number > 1 else 0):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, each, number), daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)
        self.numbers = count()

    def send(self, command: Command, arguments: Sequence[tuple[Any, ...]]) -> None:
        """Have each process do the same with arguments of its own."""
        for number, (pipe, own) in enumerate(zip(self._pipes, arguments, strict=True)):
            try:
                pipe.send((command, own))
            except (BrokenPipeError, ConnectionResetError):
                raise self._died(number) from None

    def receive(self) -> list[Any]:
        """Return what came of it in each process.

        Raises:
            UsageError: a process has died.
            Exception: what was raised in a process.
        """
        replies: list[_Reply] = []
        for number, pipe in enumerate(self._pipes):
            try:
                replies.append(pipe.recv())
            except (EOFError, ConnectionResetError):
                raise self._died(number) from None
        for reply in replies:
            if reply.error is not None:
                raise reply.error
        return [reply.value for reply in replies]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(PATIENCE)
            if process.is_alive():
                process.terminate()
                process.join()
        self._pipes, self._processes = [], []

    def __len__(self) -> int:
        return len(self._pipes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _died(self, number: int) -> UsageError:
        process = self._processes[number]
        process.join(PATIENCE)
        return UsageError(
            f"worker {number + 1} of {len(self._processes)} ended with exit code "
            f"{process.exitcode}: what it printed says why; if nothing, memory may be short, take "
            "fewer workers"
        )


class _Reply(NamedTuple):
    """What came of a command: a value, or what was raised."""

    value: Any = None
    error: Exception | None = None


def _serve(pipe: Connection, number: int, total: int) -> None:
    """Do what comes through a pipe until it is closed, in one process of several."""
    # Ctrl-C is for whoever holds the other end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_to_own_cores(number, total)
    yield_to_others()
    keep_freed_memory()
    torch.set_num_threads(1)
    kept: dict[int, Any] = {}
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            command, arguments = pipe.recv()
            try:
                reply = _Reply(command(kept, *arguments))
            except Exception as error:
                error.add_note("".join(traceback.format_tb(error.__traceback__)))
                reply = _Reply(error=error)
            pipe.send(reply)
