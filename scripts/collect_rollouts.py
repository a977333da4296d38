"""Collect rollouts: see ``python scripts/collect_rollouts.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("collect_rollouts")
