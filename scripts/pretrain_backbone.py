"""Pretrain a backbone: see ``python scripts/pretrain_backbone.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("pretrain_backbone")
