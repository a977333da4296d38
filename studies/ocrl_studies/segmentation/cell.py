"""One cell of the comparison: an encoder is trained, and its masks are scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from omegaconf import DictConfig

from ocrl.encoder import BOXES, FLOW, Encoder, TrainableEncoder
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl.errors import UsageError
from ocrl.visualization import save_image
from ocrl_studies.core.cell import Cell, Step, run_cell
from ocrl_studies.encoders import make_encoder
from ocrl_studies.plain import selected
from ocrl_studies.runs import check_one_process
from ocrl_studies.segmentation.plan import TRUTH, Plan, plan_comparison
from ocrl_studies.segmentation.scoring import (
    PICTURE,
    SCORES,
    ContenderScores,
    Truth,
    measure,
    picture_masks,
)
from ocrl_studies.stages.pretrain_slots import SlotPretraining
from ocrl_studies.trust import load_trusted

RECORD = "record.json"
CHECKPOINT = "checkpoint"
"""Name under which a record has the place of the trained encoder."""

ATTENTION = "attention"
"""Folder within a cell for the masks of slot attention, where the decoder has others."""

CELL = ("encoder", *TRUTH, "clip_length", "pretraining", "seed")
"""What may not change between two starts of a cell."""


def compare_encoders(cfg: DictConfig) -> None:
    """Train and score what is missing of one encoder and seed.

    Args:
        cfg: as ``configs/compare_encoders.yaml``.
    """
    torch.set_num_threads(cfg.num_threads)
    check_one_process(cfg)
    plan = plan_comparison(cfg)
    folder = plan.folder / f"cells/{cfg.encoder.name}/seed={cfg.seed}"
    pretraining = SlotPretraining.of(cfg)
    run_cell(
        Cell(
            f"{cfg.encoder.name} seed={cfg.seed}",
            folder / RECORD,
            selected(cfg, CELL),
            cfg.device,
            {CHECKPOINT: pretraining.checkpoint},
            steps(pretraining, plan, folder),
        )
    )


def steps(pretraining: SlotPretraining, plan: Plan, folder: Path) -> Iterator[Step]:
    """Yield the training and the scoring of an encoder, if scores are missing.

    Args:
        pretraining: of the encoder.
        plan: of the comparison.
        folder: of the cell.

    Raises:
        UsageError: before anything is trained, of an encoder that was trained with other settings,
            or has no masks.
    """
    untrained, checkpoint = make_encoder(pretraining.model), pretraining.checkpoint
    missing = [name for name in views(untrained) if not (folder / name / SCORES).exists()]
    if not missing:
        return
    pretraining.run.check()
    check_masks(untrained, pretraining.name, folder)
    yield Step("pretraining", lambda: pretraining.is_done, pretraining.train)

    def score() -> None:
        loaded = load_trusted(checkpoint, plan.trusted)
        trained = views(loaded.to(pretraining.pretraining.torch_device))
        truth = Truth.of(plan.scoring)
        frozen = has_frozen_backbone(untrained)
        for name in missing:
            number, place = plan.scoring.num_pictures, folder / name
            save_scores(trained[name], truth, number, place, frozen_backbone=frozen)

    yield Step("scoring", lambda: False, score)


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
        frozen_backbone: see `ContenderScores`.
    """
    values, counts = measure(encoder, truth)
    save_image(folder / PICTURE, picture_masks(encoder, truth, num_pictures))
    size = sum(parameter.numel() for parameter in encoder.parameters())
    ContenderScores(values, counts, encoder.num_tokens, size, frozen_backbone).save(folder)


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
