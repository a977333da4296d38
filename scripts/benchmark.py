"""Measure speed and memory: python scripts/benchmark.py maze.

Everything is measured in CPU time of this process, with one thread. Compare ratios within one run,
not numbers of different machines.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from configs.tables import print_table

START = "import time; t = time.perf_counter(); import gymnasium; " + (
    "e = gymnasium.make('envs:ocrl/NavMaze-v0'); e.reset(seed=0); e.step(2); "
    "print(time.perf_counter() - t)"
)


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Return CPU seconds of one call, the median over repeats after a warm-up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return float(np.median(times))


def maze() -> None:
    """Step and draw mazes: frames per CPU-second, new layouts, memory, start."""
    rows = []

    def measure(title: str, num_envs: int, truth: bool = False, **kwargs: object) -> float:
        environments = gymnasium.make_vec(
            "envs:ocrl/NavMaze-v0",
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

        rate = actions.size / seconds(play, repeats=7)
        rows.append([title, f"{rate:,.0f}", f"{rate / base:.2f}" if rows else "1.00"])
        return rate

    base = 1.0
    base = measure("batch of 16, 64x64", 16)
    measure("with segments and depth", 16, truth=True)
    measure("batch of 1", 1)
    measure("128x128, 4 times the pixels", 16, image_size=128)
    measure("15 x 9 cells", 16, level="nav_maze_2")
    measure("20 x 13 cells", 16, level="nav_maze_3")
    print_table(["maze", "frames per CPU-second", "ratio"], rows)

    environment = gymnasium.make("envs:ocrl/NavMaze-v0", level="nav_maze_3")
    layouts = iter(np.random.default_rng(0).permutation(200).tolist())
    reset = seconds(lambda: environment.reset(options={"layout": next(layouts)}), repeats=99)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=True
    ).stdout
    print_table(
        ["maze", ""],
        [
            ["new episode in another layout of 20 x 13 cells", f"{1000 * reset:.2f} CPU-ms"],
            ["start of a process, imports and first step, numba cached", f"{float(start):.2f} s"],
            ["memory of this process", f"{memory:.0f} MB"],
        ],
    )


def main() -> None:
    """Run the benchmark that is asked for."""
    benchmarks = {"maze": maze}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", choices=benchmarks, help="what to measure")
    benchmarks[parser.parse_args().benchmark]()


if __name__ == "__main__":
    main()
