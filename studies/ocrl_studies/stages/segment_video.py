"""A video file and the masks that an encoder gives it."""

from __future__ import annotations

import torch
from omegaconf import DictConfig
from torch import Tensor

from ocrl import streaming
from ocrl.checkpoints import load_encoder
from ocrl.data.annotations import box_for_each_slot
from ocrl.encoder import BOXES, Encoder
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl.errors import UsageError


def segment_video(cfg: DictConfig) -> None:
    """Stream the frames through the encoder."""
    torch.set_num_threads(cfg.num_threads)
    encoder: Encoder = load_encoder(cfg.checkpoint).to(cfg.device)
    state = None if cfg.boxes is None else condition(encoder, cfg.boxes)
    if cfg.attention:
        encoder = AttentionMasks(encoder)
    result = streaming.segment_video(encoder, cfg.video, cfg.output, state=state)
    print(f"{result.num_frames} frames\noverlay: {result.overlay}\nmasks:   {result.masks}")


def condition(encoder: Encoder, boxes: list[list[float]]) -> Tensor | None:
    """Return the state in which an encoder is about to look for the objects in boxes."""
    if BOXES not in encoder.asks_for:
        raise UsageError(f"{type(encoder).__name__} follows no boxes: leave boxes=null")
    try:
        given = torch.tensor([[*box] for box in boxes], dtype=torch.float32)
    except (TypeError, ValueError):
        raise UsageError(
            f"boxes={boxes}: expected [[top, left, bottom, right], ...] in [0, 1]"
        ) from None
    return encoder.first_state({BOXES: box_for_each_slot(given, encoder.num_tokens)[None]})
