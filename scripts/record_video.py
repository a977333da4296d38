"""Film a policy or a trained agent: see ``python scripts/record_video.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("record_video")
