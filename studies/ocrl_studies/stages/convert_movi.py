"""Conversion of published MOVi videos into shards."""

from __future__ import annotations

from omegaconf import DictConfig

from ocrl.data import movi


def convert_movi(cfg: DictConfig) -> None:
    """Write the shards of one split."""
    paths = movi.convert_movi(
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
