"""Collection of rollouts: one Minari dataset for each split."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.data.rollouts import dataset_folder


def collect_rollouts(cfg: DictConfig) -> None:
    """Write one Minari dataset for the chosen split."""
    rollouts = instantiate(cfg.data)
    rollouts.collect(cfg.split, overwrite=cfg.overwrite)
    dataset_id = rollouts.dataset_id(cfg.split)
    print(f"{dataset_id} is in {dataset_folder(dataset_id)}")
    print(f'read it with  minari.load_dataset("{dataset_id}")')
