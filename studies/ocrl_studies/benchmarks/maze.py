"""Step and draw mazes: frames per CPU-second, new layouts, memory, start."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from ocrl_studies.benchmarks.measuring import once, peak_memory, seconds
from ocrl_studies.core.tables import print_table

START = "import time; t = time.perf_counter(); import gymnasium; " + (
    "e = gymnasium.make('ocrl_envs:ocrl/NavMaze-v0'); e.reset(seed=0); e.step(2); "
    "print(time.perf_counter() - t)"
)


def run(budget: float) -> None:
    """Print two tables.

    Args:
        budget: CPU seconds for each measurement.
    """
    rates = {
        "batch of 16, 64x64": frame_rate(budget),
        "with segments and depth": frame_rate(budget, truth=True),
        "batch of 1": frame_rate(budget, num_envs=1),
        "128x128, 4 times the pixels": frame_rate(budget, image_size=128),
        "15 x 9 cells": frame_rate(budget, level="nav_maze_2"),
        "20 x 13 cells": frame_rate(budget, level="nav_maze_3"),
    }
    base = next(iter(rates.values()))
    print_table(
        ["maze", "frames per CPU-second", "ratio"],
        [[title, f"{rate:,.0f}", f"{rate / base:.2f}"] for title, rate in rates.items()],
    )
    start = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=True
    ).stdout
    print_table(
        ["maze", ""],
        [
            [
                "new episode in another layout of 20 x 13 cells",
                f"{1000 * reset_time():.2f} CPU-ms",
            ],
            ["start of a process, imports and first step, numba cached", f"{float(start):.2f} s"],
            ["memory of this process", f"{peak_memory():.0f} MB"],
        ],
    )


def frame_rate(budget: float, num_envs: int = 16, truth: bool = False, **kwargs: Any) -> float:
    """Return frames per CPU-second under random actions."""
    environments: Any = gymnasium.make_vec(
        "ocrl_envs:ocrl/NavMaze-v0",
        num_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.SAME_STEP,
        **kwargs,
    )
    environments.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 8, (200, num_envs))

    def play() -> None:
        for action in actions:
            environments.step(action)
            if truth:
                environments.unwrapped.ground_truth()

    return actions.size / seconds(play, budget)


def reset_time() -> float:
    """Return CPU seconds of a reset to another layout of the largest maze, not seen before."""
    environment = gymnasium.make("ocrl_envs:ocrl/NavMaze-v0", level="nav_maze_3")
    times = [once(partial(environment.reset, options={"layout": layout})) for layout in range(200)]
    return float(np.median(times))
