"""The whole path on a small preset: rollouts, pretraining, agents, transfer. See ``make demo``."""

import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).parent
ENCODERS = ("slotcontrast", "vector", "grid")


def run(script: str, *arguments: str) -> None:
    """Run a script of this folder; an interrupted demo continues where it was."""
    command = [sys.executable, str(SCRIPTS / script), "experiment=demo", *arguments]
    print(f"\n$ python scripts/{script} {' '.join(command[2:])}", flush=True)
    result = subprocess.run(command, check=False)
    if result.returncode:
        sys.exit(result.returncode)


def main() -> None:
    """Run the four stages for each encoder."""
    start = time.monotonic()
    for encoder in ENCODERS:
        run("pretrain_slots.py", f"encoder={encoder}", "resume=true")
    for encoder in ENCODERS:
        run("train_agent.py", f"encoder={encoder}", "resume=true")
    run("evaluate_transfer.py")
    print(f"\nThe demo took {(time.monotonic() - start) / 60:.1f} minutes.")
    print("It is too short for good agents: it shows that every part works.")


if __name__ == "__main__":
    main()
