"""Segment a video file: see ``python scripts/segment_video.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("segment_video")
