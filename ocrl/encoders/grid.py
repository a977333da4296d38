"""The baseline that sees a dense grid."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.encoder import Batch, EncoderOutput, Reconstruction, TrainableEncoder
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone, small_cnn
from ocrl.modules.mlp import MLP
from ocrl.modules.position import fourier_features, grid_coordinates
from ocrl.modules.targets import OpponentColourTarget, Target
from ocrl.objectives import feature_reconstruction
from ocrl.zoo import register_encoder


class GridEncoder(TrainableEncoder):
    """A frame as a grid of tokens, trained as an autoencoder of the slot encoders' target.

        frame -> backbone -> mean over blocks -> MLP -> [content, position code] -> MLP -> target

    Each token reconstructs the cells of the block that it stands for. A token's mask is that block.
    Nothing is carried between frames.

    Args:
        backbone: frames to features (B, N, F).
        target: (frames, features) to what is reconstructed, N cells.
        token_dim: D.
        target_dim: width of the target.
        block_size: side, in backbone tokens, of the blocks that are averaged; divides the grid.
        num_frequencies: of the position code, 4 numbers of a token each.
        hidden_dim: width of the hidden layer before and after the tokens.
    """

    position: Tensor
    masks: Tensor

    def __init__(
        self,
        backbone: Backbone,
        target: Target,
        *,
        token_dim: int,
        target_dim: int,
        block_size: int = 2,
        num_frequencies: int = 4,
        hidden_dim: int = 128,
    ) -> None:
        super().__init__()
        height, width = backbone.grid_size
        if height % block_size or width % block_size:
            raise UsageError(
                f"blocks of {block_size} do not divide the backbone's grid of {height}x{width}: "
                "choose a block_size that divides both sides"
            )
        content_dim = token_dim - 4 * num_frequencies
        if content_dim < 1:
            raise UsageError(
                f"{num_frequencies} frequencies take {4 * num_frequencies} of the {token_dim} "
                "numbers of a token: choose a larger token_dim, or fewer frequencies"
            )
        blocks = (height // block_size, width // block_size)
        self.grid_size = blocks
        self.block_size = block_size
        self.num_tokens = blocks[0] * blocks[1]
        self.token_dim = token_dim
        self.image_size = backbone.image_size
        self.loss_weights = {"reconstruction": 1.0}
        self.backbone = backbone
        self.to_content = MLP(backbone.feature_dim, [hidden_dim], content_dim)
        position = fourier_features(grid_coordinates(*blocks), num_frequencies)
        self.register_buffer("position", position, persistent=False)
        masks = torch.eye(self.num_tokens).view(-1, *blocks)
        self.register_buffer("masks", masks, persistent=False)
        self.decoder = MLP(token_dim, [hidden_dim], block_size**2 * target_dim)
        self.target = target

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token per block; nothing is carried."""
        self.check_frames(frames)
        tokens = self._tokens(self.backbone(frames))
        return EncoderOutput(tokens, self.masks.expand(len(frames), -1, -1, -1), None)

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Decode each token's block, beside the target."""
        videos = batch["video"]
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        features = self.backbone(frames)
        blocks: Tensor = self.decoder(self._tokens(features))
        channels = torch.unflatten(blocks.transpose(1, 2), 2, self.grid_size)
        cells = F.pixel_shuffle(channels, self.block_size).flatten(2).transpose(1, 2)
        reconstruction = torch.unflatten(cells, 0, videos.shape[:2])
        target: Tensor = self.target(frames, features).unflatten(0, videos.shape[:2])
        return Reconstruction(
            reconstruction, target, self.masks.expand(*videos.shape[:2], -1, -1, -1)
        )

    def segment(self, batch: Batch) -> None:
        """Return None: the cells of a grid are no segments."""

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames as ``step``, without masks."""
        return dataclasses.replace(self.step(frames, state, is_first), masks=None)

    def to_images(self, values: Tensor) -> Tensor | None:
        """Return a reconstruction or its target as images, if the target is made of colours."""
        return self.target.to_images(values)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction error."""
        reconstruction, target, _ = self.reconstruct(batch)
        return {"reconstruction": feature_reconstruction(reconstruction, target)}

    def _tokens(self, features: Tensor) -> Tensor:
        grid = torch.unflatten(features.transpose(1, 2), 2, self.backbone.grid_size)
        blocks = F.avg_pool2d(grid, self.block_size).flatten(2).transpose(1, 2)
        position = self.position.expand(len(features), -1, -1)
        return torch.cat([self.to_content(blocks), position], dim=-1)


@register_encoder
def grid(
    *,
    image_size: tuple[int, int] = (64, 64),
    token_dim: int = 64,
    block_size: int = 2,
) -> GridEncoder:
    """Make a grid encoder of what SlotContrast reconstructs.

    Args:
        image_size: (height, width) of the frames, divisible by 4.
        token_dim: D.
        block_size: side of a token in tokens of the CNN, which has stride 4.
    """
    backbone = small_cnn(image_size)
    target = OpponentColourTarget(backbone.image_size, patch_size=backbone.patch_size)
    return GridEncoder(
        backbone, target, target_dim=target.dim, token_dim=token_dim, block_size=block_size
    )
