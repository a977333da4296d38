"""The baseline that has no objective of its own: a CNN for a policy to train."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.modules.backbones import Backbone, CNNBackbone
from ocrl.zoo import register_encoder


class CNNEncoder(Encoder):
    """A frame as a single vector, from all cells of a CNN (Mnih et al. 2015, methods).

        frame -> backbone -> flatten -> linear -> vector

    Weights begin orthogonal, scaled by sqrt(2), and without biases (Engstrom et al. 2020, section
    3): the default would shrink what differs between frames from layer to layer.

    Args:
        backbone: frames to features (B, N, F).
        token_dim: D.
    """

    def __init__(self, backbone: Backbone, *, token_dim: int) -> None:
        super().__init__()
        num_cells = backbone.grid_size[0] * backbone.grid_size[1]
        self.num_tokens = 1
        self.token_dim = token_dim
        self.image_size = backbone.image_size
        self.backbone = backbone
        self.to_vector = nn.Linear(num_cells * backbone.feature_dim, token_dim)
        for layer in (*backbone.modules(), self.to_vector):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight, 2**0.5)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token each; nothing is carried."""
        self.check_frames(frames)
        vector = self.to_vector(self.backbone(frames).flatten(1))
        return EncoderOutput(vector.unsqueeze(1), None, None)


@register_encoder
def cnn(*, image_size: tuple[int, int] = (64, 64), token_dim: int = 256) -> CNNEncoder:
    """Make a CNN of stride 8 for a policy to train.

    Args:
        image_size: (height, width) of the frames, divisible by 8.
        token_dim: D.
    """
    backbone = CNNBackbone(
        image_size, channels=(16, 32, 32), kernel_sizes=(7, 3, 3), strides=(4, 2, 1)
    )
    return CNNEncoder(backbone, token_dim=token_dim)
