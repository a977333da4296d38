"""What generative models of single images share."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from ocrl.encoder import Batch, EncoderOutput, Reconstruction, TrainableEncoder
from ocrl.modules.pixels import frames_of, images_of, pixels_of


class Painting(NamedTuple):
    """An image as its tokens explain it.

    Attributes:
        image: (B, 3, H, W) in [0, 1].
        masks: (B, K, H, W), summing to one over K.
    """

    image: Tensor
    masks: Tensor


class ImageEncoder(TrainableEncoder):
    """An encoder to which each frame of a video is an image of its own: it carries nothing."""

    @abstractmethod
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 3, H, W) in [0, 1] to tokens (B, K, D) and masks (B, K, h, w)."""

    @abstractmethod
    def paint(self, images: Tensor) -> Painting:
        """Infer what images (B, 3, H, W) hold, and paint them from that."""

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3); nothing is carried."""
        self.check_frames(frames)
        tokens, masks = self.encode(images_of(frames))
        return EncoderOutput(tokens, masks, None)

    def images(self, batch: Batch) -> Tensor:
        """Return all frames of a batch as images (B T, 3, H, W)."""
        self.check_frames(batch["video"])
        return images_of(batch["video"].flatten(0, 1))

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Paint what the tokens hold."""
        images = self.images(batch)
        painted, masks = self.paint(images)
        parts = (pixels_of(painted), pixels_of(images), masks)
        return Reconstruction(*(torch.unflatten(x, 0, batch["video"].shape[:2]) for x in parts))

    def to_images(self, values: Tensor) -> Tensor:
        """Return pixels (..., H * W, 3) as uint8 images (..., H, W, 3)."""
        return frames_of(values, self.image_size)
