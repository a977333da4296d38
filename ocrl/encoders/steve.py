"""STEVE: slots that follow objects through natural videos, told code by code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from ocrl.encoders.code_prediction import CodePrediction
from ocrl.errors import UsageError
from ocrl.modules.annealing import CosineAnnealing
from ocrl.modules.code_decoder import CodeDecoder, CodeEmbedding
from ocrl.modules.discrete_vae import DiscreteVAE, code_grid
from ocrl.modules.initializers import RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.pixels import images_of, pixels_of
from ocrl.modules.position import EdgeDistanceEmbedding
from ocrl.modules.recurrence import SlotRecurrence
from ocrl.modules.slate_transformer import SLATETransformer
from ocrl.modules.slot_attention import SlotAttention
from ocrl.zoo import register_encoder


class STEVE(CodePrediction):
    """Simple unsupervised object-centric learning for videos (Singh et al., arXiv 2205.14065).

        image -> CNN -> + position, projection -> slots -> transformer -> codes
                                                    | ^
                                                 predictor, to the next frame

    SLATE over time: slots are read off a CNN and carried from frame to frame. Each frame is told
    from its own slots alone.

    Args:
        cnn: images (B, 3, H, W) to maps (B, d, h, w).
        position: added to the maps' cells (B, h w, d).
        **parts: as `CodePrediction` has them.
    """

    decoder_rate = 3.0

    def __init__(self, cnn: nn.Module, position: nn.Module, **parts: Any) -> None:
        super().__init__(**parts)
        self.cnn = cnn
        self.position = position

    def features(self, frames: Tensor, embedded: Tensor | None = None) -> Tensor:
        """Return what the CNN makes of frames (B, H, W, 3), (B, h w, d); codes are not read."""
        # In planes, not pixel by pixel as frames are: wide convolutions learn faster so.
        maps = self.cnn(images_of(frames).contiguous())
        features: Tensor = self.projection(self.position(pixels_of(maps)))
        return features


@register_encoder
def steve(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 7,
    slot_dim: int = 64,
    vocabulary_size: int = 128,
    dvae_dim: int = 32,
    dim: int = 64,
    cnn_dim: int = 32,
    strides: Sequence[int] = (2, 2, 1, 1),
    num_blocks: int = 2,
    num_heads: int = 4,
    num_iterations: int = 2,
    mlp_dim: int | None = None,
    dropout: float = 0.0,
    annealing_steps: int = 2000,
) -> STEVE:
    """Make a STEVE, small enough for one core.

    Args:
        image_size: (height, width), divisible by 4 and by the product of the strides.
        num_slots: K.
        slot_dim: D.
        vocabulary_size: of the discrete VAE.
        dvae_dim: channels of its layers.
        dim: width of the transformer, and of what slot attention reads.
        cnn_dim: channels of the CNN but for the last layer.
        strides: of its 5x5 convolutions.
        num_blocks: depth of the transformer.
        num_heads: of the transformer and of the predictor.
        num_iterations: of slot attention on each frame.
        mlp_dim: hidden width of slot attention's MLP. None: D.
        dropout: of the transformer and its inputs.
        annealing_steps: steps of training over which the temperature falls from 1 to 0.1.
    """
    codes, stride = code_grid(image_size), math.prod(strides)
    if any(side % stride for side in image_size):
        raise UsageError(
            f"strides {list(strides)} do not fit images of {image_size[0]}x{image_size[1]}: choose "
            f"an image_size divisible by {stride}"
        )
    features = (image_size[0] // stride, image_size[1] // stride)
    return STEVE(
        _cnn([3, *[cnn_dim] * (len(strides) - 1), dim], strides),
        EdgeDistanceEmbedding(features, dim),
        image_size=image_size,
        feature_grid=features,
        dvae=DiscreteVAE(vocabulary_size, dim=dvae_dim, normalise=False),
        embedding=CodeEmbedding(vocabulary_size, codes[0] * codes[1], dim, dropout=dropout),
        projection=MLP(dim, [dim], dim, layer_norm=True),
        recurrence=SlotRecurrence(
            RandomInitializer(num_slots, slot_dim),
            SlotAttention(
                dim, slot_dim, gru_hidden="raw", mlp_dim=mlp_dim or slot_dim, mlp_on_last=False
            ),
            SLATETransformer(slot_dim, num_heads=num_heads),
            first_iterations=num_iterations,
            iterations=num_iterations,
        ),
        decoder=CodeDecoder(
            vocabulary_size,
            slot_dim,
            dim,
            num_blocks=num_blocks,
            num_heads=num_heads,
            dropout=dropout,
        ),
        temperature=CosineAnnealing(1.0, 0.1, annealing_steps),
    )


def _cnn(dims: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for (in_dim, out_dim), stride in zip(pairwise(dims), strides, strict=True):
        layer = nn.Conv2d(in_dim, out_dim, 5, stride, padding=2)
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
