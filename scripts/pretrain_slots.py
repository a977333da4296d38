"""Pretrain an encoder: see ``python scripts/pretrain_slots.py --help``."""

from omegaconf import DictConfig

from ocrl_studies.command_line import script
from ocrl_studies.stages import stages


@script("pretrain_slots")
def main(cfg: DictConfig) -> None:
    """Train on clips of train layouts, then score on clips of validation layouts."""
    stages.pretrain_slots(cfg)


if __name__ == "__main__":
    main()
