"""Pictures of masks while an encoder is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import Subset

from ocrl.encoder import Encoder
from ocrl.pretraining import Pretraining
from ocrl.visualization import Image, enlarge, image_grid, save_image, segmentation_strip


class MaskPictures(Callback):
    """Draws frames, true segments and masks of the same clips after each validation.

    The pictures go to TensorBoard and, as ``step=<n>.png``, into a folder. Encoders that paint
    colours also show TensorBoard what; those without masks show that alone, in the folder too.

    Args:
        clips: what to draw from.
        num_clips: how many are drawn, spread evenly over all.
        folder: where the PNG files go.
    """

    def __init__(self, clips: Subset[dict[str, Tensor]], num_clips: int, folder: Path) -> None:
        self.clips = spread(clips, num_clips)
        self.folder = folder

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw."""
        if not (trainer.is_global_zero and isinstance(pl_module, Pretraining)):
            return
        encoder = pl_module.encoder
        drawn = {
            "masks": draw_masks(encoder, self.clips),
            "reconstructions": draw_reconstructions(encoder, self.clips),
        }
        pictures = {name: picture for name, picture in drawn.items() if picture is not None}
        if not pictures:
            return
        first = next(iter(pictures.values()))
        save_image(self.folder / f"step={trainer.global_step:06d}.png", first)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                for name, image in pictures.items():
                    logger.experiment.add_image(name, image, trainer.global_step, dataformats="HWC")


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
    rows = [
        list(enlarge(images[clip].cpu().numpy(), height=64))
        for clip in range(len(clips))
        for images in pictures
        if images is not None
    ]
    return image_grid(rows) if rows else None


def _batch(encoder: Encoder, clips: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    names = ("video", *encoder.asks_for)
    return encoder.to_device({name: torch.stack([clip[name] for clip in clips]) for name in names})
