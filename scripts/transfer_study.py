"""Run the zero-shot transfer study: see ``python scripts/transfer_study.py --help``."""

import warnings

from omegaconf import DictConfig

from ocrl_studies.command_line import script
from ocrl_studies.transfer.cell import run_cell


@script("transfer_study")
def main(cfg: DictConfig) -> None:
    """Pretrain, train and play what is missing of one encoder and seed."""
    run_cell(cfg)


if __name__ == "__main__":
    # Hydra goes on when a callback has failed, with no more than a warning.
    warnings.filterwarnings("error", message="Callback .* raised")
    main()
