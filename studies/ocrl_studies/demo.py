"""The demo: the whole path from rollouts to transfer on a small preset, in minutes."""

from __future__ import annotations

import subprocess
import sys
import time

ENCODERS = ("slotcontrast", "vector", "grid")


def main() -> None:
    """Run the stages for each encoder; an interrupted demo continues where it was."""
    start = time.monotonic()
    for encoder in ENCODERS:
        run("pretrain-slots", f"encoder={encoder}", "resume=true")
    for encoder in ENCODERS:
        run("train-agent", f"encoder={encoder}", "resume=true")
    run("evaluate-transfer")
    print(f"\nThe demo took {(time.monotonic() - start) / 60:.1f} minutes.")
    print("Too short for good agents; those on slots have begun to tell apples from lemons.")


def run(*arguments: str) -> None:
    """Run a verb in a process of its own."""
    arguments = (*arguments, "experiment=demo")
    print(f"\n$ ocrl {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "ocrl_studies", *arguments]
    result = subprocess.run(command, check=False)
    if result.returncode:
        sys.exit(result.returncode)
