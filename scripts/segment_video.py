"""Segment a video file: see ``python scripts/segment_video.py --help``."""

import torch
from omegaconf import DictConfig

from configs.cli import script
from ocrl.checkpoints import load_encoder
from ocrl.streaming import segment_video


@script("segment_video")
def main(cfg: DictConfig) -> None:
    """Stream the frames through the encoder."""
    torch.set_num_threads(cfg.num_threads)
    encoder = load_encoder(cfg.checkpoint).to(cfg.device)
    result = segment_video(encoder, cfg.video, cfg.output)
    print(f"{result.num_frames} frames\noverlay: {result.overlay}\nmasks:   {result.masks}")


if __name__ == "__main__":
    main()
