"""Generate MOVi-like scenes: see ``python scripts/generate_scenes.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("generate_scenes")
