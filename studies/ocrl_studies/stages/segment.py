"""Photographs or a video, and the masks that an encoder gives them."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor

from ocrl.data.annotations import box_for_each_slot
from ocrl.encoder import BOXES, Encoder
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl.errors import UsageError
from ocrl.visualization.photographs import SUFFIXES, find_images, segment_images
from ocrl.visualization.video_files import segment_video
from ocrl_studies.trust import load_trusted


def segment(cfg: DictConfig) -> None:
    """Give a video's frames, or each image, to the encoder.

    Args:
        cfg: as ``configs/segment.yaml``.
    """
    torch.set_num_threads(cfg.num_threads)
    if cfg.checkpoint is None:
        raise UsageError("checkpoint=null: give a file, or the name of a release (see --help)")
    encoder: Encoder = load_trusted(cfg.checkpoint, cfg.trusted).to(cfg.device)
    state = None if cfg.boxes is None else condition(encoder, cfg.boxes)
    if cfg.attention:
        encoder = AttentionMasks(encoder)
    path = Path(cfg.path)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        images = segment_images(encoder, find_images(path), cfg.output)
        print(f"images:      {images.num_images}\npictures:    {images.folder}")
        print(f"run lengths: {images.run_lengths}")
        return
    video = segment_video(encoder, path, cfg.output, state=state)
    print(f"frames:  {video.num_frames}\noverlay: {video.overlay}\nmasks:   {video.masks}")


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
