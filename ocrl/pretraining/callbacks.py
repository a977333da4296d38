"""Pictures while an encoder or a backbone is trained."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import Subset

from ocrl.modules.backbones import Backbone
from ocrl.pretraining import Pretraining
from ocrl.visualization import Image, draw_masks, draw_reconstructions, save_image, spread
from ocrl.visualization.features import draw_features


class Pictures(Callback):
    """Pictures after each validation, and of the last weights if they were not validated.

    They go to TensorBoard, and the first of them, as ``step=<n>.png``, into a folder.

    Args:
        folder: where the PNG files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last = -1

    @abstractmethod
    def draw(self, module: lightning.LightningModule) -> dict[str, Image]:
        """Return pictures by name; none if there is nothing to be seen."""

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw."""
        if not trainer.is_global_zero:
            return
        self._last = trainer.global_step
        pictures = self.draw(pl_module)
        if not pictures:
            return
        first = next(iter(pictures.values()))
        save_image(self.folder / f"step={trainer.global_step:06d}.png", first)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                for name, image in pictures.items():
                    logger.experiment.add_image(name, image, trainer.global_step, dataformats="HWC")

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Draw the last weights, which are validated only where an epoch ends with them."""
        if self._last != trainer.global_step:
            pl_module.eval()
            self.on_validation_end(trainer, pl_module)
            pl_module.train()


class MaskPictures(Pictures):
    """Frames, true segments and masks of the same clips.

    Encoders that paint colours also show TensorBoard what; those without masks show that alone, in
    the folder too.

    Args:
        clips: what to draw from.
        num_clips: how many are drawn, spread evenly over all.
        folder: see `Pictures`.
    """

    def __init__(self, clips: Subset[dict[str, Tensor]], num_clips: int, folder: Path) -> None:
        super().__init__(folder)
        self.clips = spread(clips, num_clips)

    def draw(self, module: lightning.LightningModule) -> dict[str, Image]:
        """Return masks and reconstructions, if there are any."""
        assert isinstance(module, Pretraining)
        drawn = {
            "masks": draw_masks(module.encoder, self.clips),
            "reconstructions": draw_reconstructions(module.encoder, self.clips),
        }
        return {name: picture for name, picture in drawn.items() if picture is not None}


class FeaturePictures(Pictures):
    """Frames and the principal components of their features.

    Args:
        backbone: gives the features.
        frames: uint8 (B, H, W, 3).
        folder: see `Pictures`.
    """

    def __init__(self, backbone: Backbone, frames: Tensor, folder: Path) -> None:
        super().__init__(folder)
        self.backbone = backbone
        self.frames = frames

    def draw(self, module: lightning.LightningModule) -> dict[str, Image]:
        """Return the features."""
        return {"features": draw_features(self.backbone, self.frames)}
