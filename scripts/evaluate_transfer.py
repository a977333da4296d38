"""Compare trained agents: see ``python scripts/evaluate_transfer.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("evaluate_transfer")
