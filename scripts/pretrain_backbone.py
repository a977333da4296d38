"""Pretrain a backbone: see ``python scripts/pretrain_backbone.py --help``."""

from omegaconf import DictConfig

from configs.backbones import pretrain_backbone
from configs.cli import script


@script("pretrain_backbone")
def main(cfg: DictConfig) -> None:
    """Train on frames of train layouts, then score features on those of validation layouts."""
    pretrain_backbone(cfg)


if __name__ == "__main__":
    main()
