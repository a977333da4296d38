"""Pictures while an encoder or a backbone is trained."""

from __future__ import annotations

from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import Subset

from ocrl.modules.backbones import Backbone
from ocrl.pretraining import Pretraining
from ocrl.visualization import draw_masks, draw_reconstructions, save_image, spread
from ocrl.visualization.features import draw_features


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


class FeaturePictures(Callback):
    """Draws frames and the principal components of their features after each validation.

    The pictures go to TensorBoard and, as ``step=<n>.png``, into a folder.

    Args:
        backbone: gives the features.
        frames: uint8 (B, H, W, 3).
        folder: where the PNG files go.
    """

    def __init__(self, backbone: Backbone, frames: Tensor, folder: Path) -> None:
        self.backbone = backbone
        self.frames = frames
        self.folder = folder

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw."""
        if not trainer.is_global_zero:
            return
        picture = draw_features(self.backbone, self.frames)
        save_image(self.folder / f"step={trainer.global_step:06d}.png", picture)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(
                    "features", picture, trainer.global_step, dataformats="HWC"
                )
