"""The plan of a comparison: the data, how masks are scored on it, and where all of it goes.

A configuration is read here and in `ocrl_studies.segmentation.cell`, once; what comes after knows
paths and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ocrl_studies.plain import selected
from ocrl_studies.sources import Source, make_source

TRUTH = ("data", "scoring", "identity")
"""What a score depends on besides the encoder."""


@dataclass(frozen=True)
class Scoring:
    """What masks are scored on.

    Attributes:
        source: of the videos.
        num_clips: for overlaps; None: all that do not overlap.
        clip_length: frames of each; None: whole videos.
        num_long_clips: for slot identity.
        long_clip_length: frames of each; the longest there are where no video is so long.
        num_pictures: clips that are drawn.
    """

    source: Source
    num_clips: int | None
    clip_length: int | None
    num_long_clips: int
    long_clip_length: int
    num_pictures: int

    @classmethod
    def of(cls, cfg: DictConfig) -> Scoring:
        """Return the scoring of a configuration like ``configs/compare_encoders.yaml``."""
        return cls(
            make_source(cfg.data),
            cfg.scoring.num_clips,
            cfg.scoring.clip_length,
            cfg.identity.num_clips,
            cfg.identity.clip_length,
            cfg.scoring.num_pictures,
        )


@dataclass(frozen=True)
class Plan:
    """What all cells are about, and what the report tells of them.

    Attributes:
        name: of the data.
        folder: of the cells and of the report.
        scoring: of all masks.
        num_steps: of each encoder's training.
        batch_size: clips of a step.
        clip_length: frames of these.
        device: that cells run on.
        trusted: packages of one's own whose encoders may be built.
        truth: what scores depend on besides the encoder, by dotted name.
        settings: all of them, as YAML.
    """

    name: str
    folder: Path
    scoring: Scoring
    num_steps: int
    batch_size: int
    clip_length: int
    device: str
    trusted: Sequence[str]
    truth: Mapping[str, Any]
    settings: str


def plan_comparison(cfg: DictConfig) -> Plan:
    """Return the plan of a whole comparison.

    Args:
        cfg: as ``configs/compare_encoders.yaml``.
    """
    return Plan(
        cfg.data.run_name,
        Path(cfg.results_dir),
        Scoring.of(cfg),
        cfg.pretraining.max_steps,
        cfg.pretraining.batch_size,
        cfg.clip_length,
        cfg.device,
        tuple(cfg.trusted),
        selected(cfg, TRUTH),
        OmegaConf.to_yaml(cfg, resolve=True),
    )
