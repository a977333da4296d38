"""Pretrain an encoder: see ``python scripts/pretrain_slots.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("pretrain_slots")
