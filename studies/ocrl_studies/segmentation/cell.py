"""One cell of the comparison: an encoder and a seed. Each step skips what is done."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.checkpoints import load_encoder
from ocrl.encoder import BOXES, FLOW, Encoder, TrainableEncoder
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl.errors import UsageError
from ocrl.visualization import save_image
from ocrl_studies.command_line import USAGE_ERRORS
from ocrl_studies.core.record import open_record
from ocrl_studies.environments import selected
from ocrl_studies.runs import open_run
from ocrl_studies.segmentation.scoring import PICTURE, SCORES, Scored, Truth, measure, picture_masks
from ocrl_studies.stages.pretrain_slots import pretrain_slots

RECORD = "record.json"
CHECKPOINT = "checkpoint"
"""Name under which a record has the place of the trained encoder."""

ATTENTION = "attention"
"""Folder within a cell for the masks of slot attention, where the decoder has others."""

TRUTH = ("data", "scoring", "identity")
"""What a score depends on besides the encoder."""

CELL = ("encoder", *TRUTH, "clip_length", "pretraining", "seed")
"""What may not change between two starts of a cell."""


def run_cell(cfg: DictConfig) -> None:
    """Train and score what is missing.

    Bad input stops this cell alone: the others go on, and the report names those that are missing.

    Args:
        cfg: as ``configs/compare_encoders.yaml``.
    """
    name = f"{cfg.encoder.name} seed={cfg.seed}"
    folder = cell_folder(cfg)
    try:
        record = open_record(folder / RECORD, name, selected(cfg, CELL), cfg.device)
    except USAGE_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return
    with record.stopped_by_bad_input():
        torch.set_num_threads(cfg.num_threads)
        untrained = instantiate(cfg.encoder.model)
        missing = [name for name in views(untrained) if not (folder / name / SCORES).exists()]
        if not missing:
            return
        # Before anything is trained: an encoder of other settings, or one without masks.
        open_run(cfg, same=("data", "encoder", "clip_length", "pretraining", "seed"))
        check_masks(untrained, cfg.encoder.name, folder)
        checkpoint = Path(cfg.run_dir) / "encoder.safetensors"
        record.keep_place(CHECKPOINT, checkpoint)
        if not checkpoint.exists():
            with record.timed("pretraining"):
                pretrain_slots(cfg)
        with record.timed("scoring"):
            trained, truth = views(load_encoder(checkpoint)), Truth.of(cfg)
            for name in missing:
                save_scores(
                    trained[name],
                    truth,
                    cfg.scoring.num_pictures,
                    folder / name,
                    frozen_backbone=has_frozen_backbone(untrained),
                )


def views(encoder: Encoder) -> dict[str, Encoder]:
    """Return what an encoder's masks can be taken to be, by folder within its cell.

    Its own, and where slot attention looks, if a decoder draws masks of its own.
    """
    found = {"": encoder}
    if encoder.has_decoder_masks:
        found[ATTENTION] = AttentionMasks(encoder)
    return found


def save_scores(
    encoder: Encoder,
    truth: Truth,
    num_pictures: int,
    folder: Path,
    *,
    frozen_backbone: bool = False,
) -> None:
    """Score a contender; write its picture, then its scores.

    Args:
        encoder: with masks.
        truth: what it is scored on.
        num_pictures: how many clips are drawn.
        folder: where both go.
        frozen_backbone: see `Scored`.
    """
    values, counts = measure(encoder, truth)
    save_image(folder / PICTURE, picture_masks(encoder, truth, num_pictures))
    size = sum(parameter.numel() for parameter in encoder.parameters())
    Scored(values, counts, encoder.num_tokens, size, frozen_backbone).save(folder)


def cell_folder(cfg: DictConfig) -> Path:
    """Return where record, scores and picture of the cell are."""
    return Path(cfg.results_dir) / f"cells/{cfg.encoder.name}/seed={cfg.seed}"


def check_masks(encoder: Encoder, name: str, folder: Path) -> None:
    """Raise UsageError if the tokens of the encoder of a cell are no segments."""
    frames = torch.zeros(1, 1, *encoder.image_size, 3, dtype=torch.uint8)
    boxes = torch.zeros(1, encoder.num_tokens, 4)
    with torch.inference_mode():
        batch = {"video": frames, BOXES: boxes, FLOW: frames}
        masks = encoder.segment(encoder.to_device(batch))
    if masks is None:
        raise UsageError(
            f"encoder={name} has no masks to score, its tokens are no segments: leave it out, and "
            f"delete {folder}"
        )


def has_frozen_backbone(encoder: Encoder) -> bool:
    """Say whether an encoder groups features that its training does not change."""
    return isinstance(encoder, TrainableEncoder) and encoder.frozen_features() is not None
