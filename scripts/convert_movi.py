"""Convert published MOVi videos: see ``python scripts/convert_movi.py --help``."""

from omegaconf import DictConfig

from ocrl.data.movi import convert_movi
from ocrl_studies.command_line import script


@script("convert_movi")
def main(cfg: DictConfig) -> None:
    """Write the shards of one split."""
    paths = convert_movi(
        cfg.name,
        cfg.split,
        cfg.folder,
        source=cfg.source,
        size=cfg.size,
        flow=cfg.flow,
        limit=cfg.limit,
        overwrite=cfg.overwrite,
    )
    print(f"{len(paths)} shards in {cfg.folder}")


if __name__ == "__main__":
    main()
