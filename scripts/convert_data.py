"""Convert a published data set to shards: see ``python scripts/convert_data.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("convert_data")
