"""Generation of MOVi-like scenes with ground truth, as shards."""

from __future__ import annotations

from omegaconf import DictConfig

from ocrl.errors import UsageError
from ocrl_studies.sources import Scenes, make_source


def generate_scenes(cfg: DictConfig) -> None:
    """Write the shards of each split."""
    scenes = make_source(cfg.data)
    if not isinstance(scenes, Scenes):
        raise UsageError(f"data={cfg.data.run_name} is not generated: choose data=movi_a_like, ...")
    for split in cfg.splits:
        scenes.generate(split, overwrite=cfg.overwrite)
    print(f"scenes: {scenes.path}")
