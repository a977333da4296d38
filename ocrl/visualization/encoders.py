"""Pictures of what an encoder makes of clips: masks and reconstructions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Subset

from ocrl.encoder import Encoder
from ocrl.visualization.images import Image, enlarge, image_grid
from ocrl.visualization.segmentation import segmentation_strip
from ocrl.visualization.titles import titled_row

HEIGHT = 64
"""Of what is painted, in pixels, about."""


def spread(clips: Subset[dict[str, Tensor]], num: int) -> list[dict[str, Tensor]]:
    """Return some of the clips, spread evenly over all."""
    places = torch.linspace(0, len(clips) - 1, num).round().int().tolist()
    return [clips[i] for i in places]


@torch.inference_mode()
def draw_masks(encoder: Encoder, clips: Sequence[dict[str, Tensor]]) -> Image | None:
    """Draw clips over time: frames, true segments if there are any, masks; None without masks."""
    strips = []
    for clip in clips:  # whole videos differ in length
        masks = encoder.segment(_batch(encoder, clip))
        if masks is None:
            return None
        strips.append(segmentation_strip(clip["video"], masks[0].cpu(), clip.get("segments")))
    return image_grid([[strip] for strip in strips], gap=8) if strips else None


@torch.inference_mode()
def draw_reconstructions(encoder: Encoder, clips: Sequence[dict[str, Tensor]]) -> Image | None:
    """Draw what tokens are to paint above what they paint; None unless these are colours."""
    rows = []
    for clip in clips:
        decoded = encoder.reconstruct(_batch(encoder, clip))
        if decoded is None:
            return None
        for name, values in (("target", decoded.target), ("painted", decoded.reconstruction)):
            images = encoder.to_images(values)
            if images is not None:
                rows.append(titled_row(name, enlarge(images[0].cpu().numpy(), HEIGHT)))
    return image_grid(rows) if rows else None


def _batch(encoder: Encoder, clip: dict[str, Tensor]) -> dict[str, Tensor]:
    return encoder.to_device({name: clip[name][None] for name in ("video", *encoder.asks_for)})
