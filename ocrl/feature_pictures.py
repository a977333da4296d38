"""Pictures of features while a backbone is trained."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from ocrl.baselines import BackboneFeatures
from ocrl.modules.backbones import Backbone
from ocrl.visualization import Image, enlarge, image_grid, save_image


def principal_colours(features: Tensor) -> Tensor:
    """Show the first three principal components of features as red, green and blue.

    The mean of each frame is taken out, or the largest components would only tell frames apart. The
    components are those of all frames, so the same colour means the same in every frame.

    Args:
        features: float (B, h, w, F), F at least 3.

    Returns:
        uint8 (B, h, w, 3).

    Example:
        >>> principal_colours(torch.rand(2, 4, 4, 8)).shape
        torch.Size([2, 4, 4, 3])
    """
    points = (features - features.mean((1, 2), keepdim=True)).flatten(0, 2).double()
    axes = torch.linalg.eigh(points.T @ points).eigenvectors[:, -3:].flip(1)
    # An eigenvector's sign means nothing: make it the same everywhere.
    largest = axes.gather(0, axes.abs().max(dim=0).indices.unsqueeze(0))
    components = points @ (axes * largest.sign())
    low, high = components.quantile(torch.tensor([0.01, 0.99]).double(), dim=0)
    colours = ((components - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
    pixels: Tensor = (colours * 255).round().to(torch.uint8)
    return pixels.view(*features.shape[:3], 3)


def draw_features(backbone: Backbone, frames: Tensor, *, height: int = 128) -> Image:
    """Draw frames uint8 (B, H, W, 3) above the principal components of their features."""
    with torch.inference_mode():
        colours = principal_colours(BackboneFeatures(backbone)(frames.to(backbone.mean.device)))
    return image_grid([enlarge(x.cpu().numpy(), height) for x in (frames, colours)])


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
