"""The conversion of a published data set to shards."""

from __future__ import annotations

from omegaconf import DictConfig

from ocrl.data.conversion import convert

OPTIONS = ("source", "size", "flow", "limit", "skip_bad", "overwrite")


def convert_data(cfg: DictConfig) -> None:
    """Write the shards of one split, and check them.

    Args:
        cfg: as ``configs/convert_data.yaml``.
    """
    options = {key: cfg[key] for key in OPTIONS}
    videos = convert(cfg.name, cfg.split, cfg.folder, **options)
    print(f"{len(videos.lengths)} videos, {videos.lengths.sum()} frames: {cfg.folder}")
