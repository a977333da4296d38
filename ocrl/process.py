"""How this process gets memory and time from the system, where Linux lets it choose."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of these parameters in glibc's ``malloc.h``."""

_MOST = 2**30
"""Bytes."""


def keep_freed_memory() -> None:
    """Have glibc keep up to 1 GiB of what is freed, and what is larger go back to the system.

    By default large tensors come from the system and go back to it, in many a step anew, and the
    system clears each of their pages. Elsewhere than in glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _MOST)
        mallopt(_MMAP_THRESHOLD, _MOST)


def keep_to_own_cores(number: int, total: int) -> None:
    """Keep to one of equal shares of the cores that this process may use.

    Left to itself Linux puts two of few processes on one core now and then, and all wait for them.
    Elsewhere than in Linux it does nothing.

    Args:
        number: which share, from 0.
        total: how many there are.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, set(cores[number::total]) or {cores[number % len(cores)]})


def yield_to_others() -> None:
    """Have who wakes up not interrupt whoever is at work: the process that hands out work to many.

    Elsewhere than in Linux it does nothing.
    """
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
