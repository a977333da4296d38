"""Score an encoder's masks: see ``python scripts/evaluate_slots.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("evaluate_slots")
