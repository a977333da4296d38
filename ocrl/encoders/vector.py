"""The baseline that sees one vector."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.encoder import EncoderOutput, TrainableEncoder
from ocrl.modules.backbones import Backbone
from ocrl.modules.mlp import MLP
from ocrl.modules.position import PositionEmbedding
from ocrl.objectives import feature_reconstruction


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
        decoder_dim: width of the decoder's two hidden layers.
    """

    def __init__(
        self,
        backbone: Backbone,
        target: nn.Module,
        *,
        token_dim: int,
        target_dim: int,
        reduced_dim: int = 8,
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
        self.to_vector = MLP(num_cells * reduced_dim, [token_dim], token_dim)
        self.to_cell = nn.Linear(token_dim, decoder_dim)
        self.position = PositionEmbedding(backbone.grid_size, decoder_dim)
        self.decoder = MLP(decoder_dim, [decoder_dim, decoder_dim], target_dim)
        self.target = target

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token each; nothing is carried."""
        self.check_frames(frames)
        vector = self.to_vector(self.reduce(self.backbone(frames)).flatten(1))
        return EncoderOutput(vector.unsqueeze(1), None, None)

    def reconstruct(self, videos: Tensor) -> tuple[Tensor, Tensor]:
        """Return reconstruction and target, (B, T, N, F) each, of uint8 videos (B, T, H, W, 3)."""
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        features = self.backbone(frames)
        vectors = self.to_vector(self.reduce(features).flatten(1))
        cells = self.position(self.to_cell(vectors).unsqueeze(1))
        reconstruction: Tensor = self.decoder(cells).unflatten(0, videos.shape[:2])
        target: Tensor = self.target(frames, features).unflatten(0, videos.shape[:2])
        return reconstruction, target

    def losses(self, videos: Tensor) -> dict[str, Tensor]:
        """Return the reconstruction error on uint8 clips (B, T, H, W, 3)."""
        reconstruction, target = self.reconstruct(videos)
        return {"reconstruction": feature_reconstruction(reconstruction, target)}
