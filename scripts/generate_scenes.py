"""Generate MOVi-like scenes: see ``python scripts/generate_scenes.py --help``."""

from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.errors import UsageError
from ocrl_studies.command_line import script
from ocrl_studies.sources import Scenes


@script("generate_scenes")
def main(cfg: DictConfig) -> None:
    """Write the shards of each split."""
    scenes = instantiate(cfg.data)
    if not isinstance(scenes, Scenes):
        raise UsageError(f"data={cfg.data.run_name} is not generated: choose data=movi_a_like, ...")
    for split in cfg.splits:
        scenes.generate(split, overwrite=cfg.overwrite)
    print(f"scenes: {scenes.path}")


if __name__ == "__main__":
    main()
