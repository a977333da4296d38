"""Speed and memory, in CPU time of this process with one thread.

Compare ratios within one run, not numbers of different machines.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from ocrl.process import keep_freed_memory

BENCHMARKS = {
    "maze": "step and draw mazes: frames per CPU-second, new layouts, memory, start",
    "encoders": "encode a frame, train a step: CPU-milliseconds and memory of each encoder",
    "family": "SPACE, SLATE and other classics in published sizes, and ratios to public code",
    "scenes": "generate MOVi-like scenes, score masks",
    "data": "load clips: what a training step waits for, and how memory grows",
    "agent": "the whole PPO loop: environment steps per CPU-second, and where the time goes",
    "workers": "the same loop on several cores: decisions per second of the clock",
}


def main() -> None:
    """Run the benchmark that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True, metavar="benchmark")
    parsers = {
        name: commands.add_parser(name, help=what, description=what)
        for name, what in BENCHMARKS.items()
    }
    for command in parsers.values():
        command.add_argument(
            "--seconds",
            dest="budget",
            metavar="S",
            type=float,
            default=1.0,
            help="CPU time for each measurement; all are made twice at least (default: 1)",
        )
    parsers["encoders"].add_argument(
        "--published",
        action="store_true",
        help="SlotContrast in its published size, beside the official code; half a minute",
    )
    parsers["agent"].add_argument(
        "--checkpoint",
        type=Path,
        help="a trained slotcontrast; speed does not depend on weights, so random ones will do",
    )
    parsers["workers"].add_argument(
        "--workers", dest="num_workers", metavar="N", type=int, default=2, help="(default: 2)"
    )
    options = vars(parser.parse_args())
    # Before numpy, torch and numba are imported.
    for library in ("OMP", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    keep_freed_memory()  # as commands do
    benchmark = options.pop("benchmark")
    importlib.import_module(f"ocrl_studies.benchmarks.{benchmark}").run(**options)
