"""Collection of rollouts: one Minari dataset for each split."""

from __future__ import annotations

from omegaconf import DictConfig

from ocrl.data.rollouts import dataset_folder
from ocrl.errors import UsageError
from ocrl_studies.invocation import ROLLOUTS, same_words
from ocrl_studies.sources import Rollouts, make_source


def collect_rollouts(cfg: DictConfig) -> None:
    """Write one Minari dataset for the chosen split."""
    rollouts = make_source(cfg.data)
    if not isinstance(rollouts, Rollouts):
        raise UsageError(f"data={cfg.data.run_name} is not collected: choose data=rollouts")
    rollouts.collect(cfg.split, overwrite=cfg.overwrite)
    dataset_id = rollouts.dataset_id(cfg.split)
    print(f"{dataset_id} is in {dataset_folder(dataset_id)}")
    print(f'read it with  minari.load_dataset("{dataset_id}")')
    print(f"next: {same_words('pretrain_slots', ROLLOUTS)}")
