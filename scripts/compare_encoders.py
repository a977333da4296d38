"""Compare encoders by their masks: see ``python scripts/compare_encoders.py --help``."""

import warnings

from omegaconf import DictConfig

from ocrl_studies.command_line import script
from ocrl_studies.segmentation.cell import run_cell


@script("compare_encoders")
def main(cfg: DictConfig) -> None:
    """Train and score what is missing of one encoder and seed."""
    run_cell(cfg)


if __name__ == "__main__":
    # Hydra goes on when a callback has failed, with no more than a warning.
    warnings.filterwarnings("error", message="Callback .* raised")
    main()
