"""Segment photographs or a video: see ``python scripts/segment.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("segment")
