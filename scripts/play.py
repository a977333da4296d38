"""Walk through a maze by keyboard: see ``python scripts/play.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("play")
