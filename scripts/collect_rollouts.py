"""Collect rollouts: see ``python scripts/collect_rollouts.py --help``."""

from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.data.rollouts import dataset_folder
from ocrl_studies.command_line import script


@script("collect_rollouts")
def main(cfg: DictConfig) -> None:
    """Write one Minari dataset for the chosen split."""
    rollouts = instantiate(cfg.data)
    rollouts.collect(cfg.split, overwrite=cfg.overwrite)
    dataset_id = rollouts.dataset_id(cfg.split)
    print(f"{dataset_id} is in {dataset_folder(dataset_id)}")
    print(f'read it with  minari.load_dataset("{dataset_id}")')


if __name__ == "__main__":
    main()
