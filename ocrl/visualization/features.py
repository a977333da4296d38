"""Pictures of features: their principal components as colours."""

from __future__ import annotations

import torch
from torch import Tensor

from ocrl.encoders.kmeans import BackboneFeatures
from ocrl.modules.backbones import Backbone
from ocrl.visualization.images import Image, enlarge, image_grid
from ocrl.visualization.titles import titled_row


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
    large = enlarge(frames.cpu().numpy(), height)
    rows = {"frames": large, "features": enlarge(colours.cpu().numpy(), large.shape[1])}
    return image_grid([titled_row(name, pictures) for name, pictures in rows.items()])
