"""CPU time and memory of this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping

import numpy as np


def seconds(function: Callable[[], object], budget: float) -> float:
    """Return CPU seconds of one call, the median over calls after a warm-up.

    Args:
        function: what is called.
        budget: CPU seconds that calls may take together; there is one at least.
    """
    return interleaved({"": function}, budget)[""]


def interleaved(functions: Mapping[str, Callable[[], object]], budget: float) -> dict[str, float]:
    """Return CPU seconds of one call of each, called in turn so that disturbances hit all alike."""
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    end = time.process_time() + budget * len(functions)
    while not times[next(iter(times))] or time.process_time() < end:
        for name, function in functions.items():
            times[name].append(once(function))
    return {name: float(np.median(taken)) for name, taken in times.items()}


def once(function: Callable[[], object]) -> float:
    """Return CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def peak_memory() -> float:
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
