"""The PPO loop with one process and with several: decisions per second of the clock.

To be run on a machine that does nothing else: what several cores are worth is what others leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ocrl_agents.workers import Workers
from ocrl_studies.benchmarks.agent import TRUTH, make_loop
from ocrl_studies.command_line import stop
from ocrl_studies.composition import compose
from ocrl_studies.core.tables import print_table

STEPS = 8192
"""Decisions of a rollout, over all environments, as by default."""

REPEATS = 3


def run(budget: float, num_workers: int) -> None:
    """Print a table.

    Args:
        budget: seconds for each measurement.
        num_workers: processes beside this one.
    """
    most = compose("train_agent").agent.num_envs
    if not 1 <= num_workers <= most:
        stop(f"--workers {num_workers}: take 1 to {most}, who share {most} environments")
    with Workers(1) as none, Workers(num_workers) as several:
        rows = []
        for name, overrides in (("slotcontrast", []), ("ground truth", [TRUTH])):
            loops = [
                make_loop(*overrides, steps=STEPS, workers=workers) for workers in (none, several)
            ]
            alone, shared = speeds([loop.learn for loop in loops], [1, num_workers], budget)
            rows.append([name, f"{alone:,.0f}", f"{shared:,.0f}", f"{shared / alone:.2f}"])
    print_table(
        ["decisions a second", "1 process", f"{num_workers} workers", "times as many"], rows
    )


def speeds(rollouts: list[Callable[[], object]], threads: list[int], budget: float) -> list[float]:
    """Return decisions a second of each loop, the best of those called in turn.

    Args:
        rollouts: each plays and learns.
        threads: of the update of each.
        budget: seconds for each, `REPEATS` times.
    """
    best = [0.0 for _ in rollouts]
    for learn in rollouts:
        learn()
    for _ in range(REPEATS):
        for i, (learn, number) in enumerate(zip(rollouts, threads, strict=True)):
            torch.set_num_threads(number)
            start, count = time.perf_counter(), 0
            while count == 0 or time.perf_counter() - start < budget:
                learn()
                count += 1
            best[i] = max(best[i], count * STEPS / (time.perf_counter() - start))
    return best
