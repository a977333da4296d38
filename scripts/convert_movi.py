"""Convert published MOVi videos: see ``python scripts/convert_movi.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("convert_movi")
