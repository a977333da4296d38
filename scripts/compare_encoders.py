"""Compare encoders by their masks: see ``python scripts/compare_encoders.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("compare_encoders")
