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
    masks = encoder.segment(_batch(encoder, clips))
    if masks is None:
        return None
    strips = [
        segmentation_strip(clip["video"], mask.cpu(), clip.get("segments"))
        for clip, mask in zip(clips, masks, strict=True)
    ]
    return image_grid([[strip] for strip in strips], gap=8)


@torch.inference_mode()
def draw_reconstructions(encoder: Encoder, clips: Sequence[dict[str, Tensor]]) -> Image | None:
    """Draw what tokens are to paint above what they paint; None unless these are colours."""
    decoded = encoder.reconstruct(_batch(encoder, clips))
    if decoded is None:
        return None
    pictures = [encoder.to_images(values) for values in (decoded.target, decoded.reconstruction)]
    names = ("target", "painted")
    rows = [
        titled_row(name, enlarge(images[clip].cpu().numpy(), HEIGHT))
        for clip in range(len(clips))
        for name, images in zip(names, pictures, strict=True)
        if images is not None
    ]
    return image_grid(rows) if rows else None


def _batch(encoder: Encoder, clips: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    names = ("video", *encoder.asks_for)
    return encoder.to_device({name: torch.stack([clip[name] for clip in clips]) for name in names})
