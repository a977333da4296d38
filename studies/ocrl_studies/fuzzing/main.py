"""The command line of all campaigns."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from ocrl_studies.fuzzing.trials import lines

CAMPAIGNS = {
    "files": ("files", "a file of each kind, changed in any way, and read"),
    "parsers": ("parsers", "headers and layouts, 10,000 in a trial, changed and parsed"),
    "command_lines": ("command_lines", "settings that may be wrong, each run to the end"),
    "kills": ("interruptions", "commands killed at any time: they go on, and end the same"),
    "full_disks": ("interruptions", "a disk full at any place: one line, and they go on"),
    "checkpoints": ("files", "bytes of checkpoints changed: all is to be detected"),
}
"""Campaign -> module with a function of that name, and what is tried."""


def main() -> None:
    """Run the campaign that is asked for, or go on with it, and print its table."""
    parser = argparse.ArgumentParser(
        description="Try what strangers, accidents and full disks do, and count what comes of it."
    )
    parser.add_argument("campaign", choices=CAMPAIGNS, help="what is tried")
    parser.add_argument("--number", type=int, default=100, help="of trials (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the trials (default: 0)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("runs/fuzzing"),
        help="for the trials and their log; a campaign goes on there (default: runs/fuzzing)",
    )
    parser.epilog = "; ".join(f"{name}: {what}" for name, (_, what) in CAMPAIGNS.items())
    options = parser.parse_args()
    # before numpy, torch and numba are imported
    for library in ("OMP", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    module, _ = CAMPAIGNS[options.campaign]
    run = getattr(importlib.import_module(f"ocrl_studies.fuzzing.{module}"), options.campaign)
    log = options.folder.absolute() / f"{options.campaign}-{options.seed}.jsonl"
    run(options.number, options.seed, log.parent / options.campaign, log)
    print("\n".join(lines(log)))
