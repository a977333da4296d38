"""Run the zero-shot transfer study: see ``python scripts/transfer_study.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("transfer_study")
