"""Pretrain an encoder: see ``python scripts/pretrain_slots.py --help``."""

from omegaconf import DictConfig

from configs import stages
from configs.cli import script


@script("pretrain_slots")
def main(cfg: DictConfig) -> None:
    """Train on clips of train layouts, then score on clips of validation layouts."""
    stages.pretrain_slots(cfg)


if __name__ == "__main__":
    main()
