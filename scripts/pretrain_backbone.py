"""Pretrain a backbone: see ``python scripts/pretrain_backbone.py --help``."""

from omegaconf import DictConfig

from ocrl_studies.command_line import script
from ocrl_studies.stages.pretrain_backbone import pretrain_backbone


@script("pretrain_backbone")
def main(cfg: DictConfig) -> None:
    """Train on frames of train layouts, then score features on those of validation layouts."""
    pretrain_backbone(cfg)


if __name__ == "__main__":
    main()
