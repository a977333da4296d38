"""The baseline that sees one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.encoder import Batch, EncoderOutput, Reconstruction, TrainableEncoder
from ocrl.modules.backbones import Backbone, small_cnn
from ocrl.modules.mlp import MLP
from ocrl.modules.position import PositionEmbedding
from ocrl.modules.targets import OpponentColourTarget, Target
from ocrl.objectives import feature_reconstruction
from ocrl.zoo import register_encoder


class VectorEncoder(TrainableEncoder):
    """A frame as a single vector, trained as an autoencoder of the slot encoders' target.

        frame -> backbone -> reduce, flatten -> MLP -> vector -> + position_n, MLP -> target_n

    It has no masks and carries nothing between frames.

    Args:
        backbone: frames to features (B, N, F).
        target: (frames, features) to what is reconstructed, N cells.
        token_dim: D.
        target_dim: width of the target.
        reduced_dim: width to which each backbone token is reduced before all are flattened.
        hidden_dim: width of the hidden layer before the vector.
        decoder_dim: width of the decoder's two hidden layers.

    Attributes:
        num_moments: numbers that the encoder gives for each of the vector.
    """

    num_moments: int = 1

    def __init__(
        self,
        backbone: Backbone,
        target: Target,
        *,
        token_dim: int,
        target_dim: int,
        reduced_dim: int = 8,
        hidden_dim: int = 512,
        decoder_dim: int = 128,
    ) -> None:
        super().__init__()
        num_cells = backbone.grid_size[0] * backbone.grid_size[1]
        self.num_tokens = 1
        self.token_dim = token_dim
        self.image_size = backbone.image_size
        self.loss_weights = {"reconstruction": 1.0}
        self.backbone = backbone
        self.reduce = nn.Linear(backbone.feature_dim, reduced_dim)
        vector_dim = self.num_moments * token_dim
        self.to_vector = MLP(num_cells * reduced_dim, [hidden_dim], vector_dim)
        self.to_cell = nn.Linear(token_dim, decoder_dim)
        self.position = PositionEmbedding(backbone.grid_size, decoder_dim)
        self.decoder = MLP(decoder_dim, [decoder_dim, decoder_dim], target_dim)
        self.target = target

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token each; nothing is carried."""
        self.check_frames(frames)
        return EncoderOutput(self.vector(self.backbone(frames)).unsqueeze(1), None, None)

    def vector(self, features: Tensor) -> Tensor:
        """Return the vector (B, D) of features (B, N, F)."""
        vector: Tensor = self.to_vector(self.reduce(features).flatten(1))
        return vector

    def decode(self, vectors: Tensor) -> Tensor:
        """Return the reconstruction (B, N, F) of the target from vectors (B, D)."""
        reconstruction: Tensor = self.decoder(self.position(self.to_cell(vectors).unsqueeze(1)))
        return reconstruction

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Decode the vectors, beside the target."""
        videos = batch["video"]
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        features = self.backbone(frames)
        both = (self.decode(self.vector(features)), self.target(frames, features))
        return Reconstruction(*(torch.unflatten(x, 0, videos.shape[:2]) for x in both))

    def to_images(self, values: Tensor) -> Tensor | None:
        """Return a reconstruction or its target as images, if the target is made of colours."""
        return self.target.to_images(values)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the reconstruction error."""
        reconstruction, target, _ = self.reconstruct(batch)
        return {"reconstruction": feature_reconstruction(reconstruction, target)}


@register_encoder
def vector(
    *,
    image_size: tuple[int, int] = (64, 64),
    token_dim: int = 512,
) -> VectorEncoder:
    """Make a vector encoder of what SlotContrast reconstructs.

    Args:
        image_size: (height, width) of the frames, divisible by 4.
        token_dim: D.
    """
    backbone = small_cnn(image_size)
    target = OpponentColourTarget(backbone.image_size, patch_size=backbone.patch_size)
    return VectorEncoder(backbone, target, target_dim=target.dim, token_dim=token_dim)
