"""SLATE: slots from which a transformer tells an image, code by code."""

from __future__ import annotations

from torch import Tensor

from ocrl.encoders.code_prediction import CodePrediction
from ocrl.modules.annealing import CosineAnnealing
from ocrl.modules.code_decoder import CodeDecoder, CodeEmbedding
from ocrl.modules.discrete_vae import DiscreteVAE, code_grid
from ocrl.modules.initializers import RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.pixels import images_of
from ocrl.modules.recurrence import SlotRecurrence
from ocrl.modules.slot_attention import SlotAttention
from ocrl.zoo import register_encoder


class SLATE(CodePrediction):
    """Illiterate DALL-E learns to compose (Singh et al. 2022, arXiv 2110.11405).

        image -> codes -> embedding -> projection -> slots -> transformer -> codes

    Slots are read off the codes, not the image: in training those that were drawn, else the
    likeliest. Every frame of a video is an image of its own.
    """

    def features(self, frames: Tensor, embedded: Tensor | None = None) -> Tensor:
        """Return the projected embeddings (B, N, d) of the codes of frames (B, H, W, 3)."""
        if embedded is None:
            embedded = self.embedding(self.dvae.codes(images_of(frames)))
        features: Tensor = self.projection(embedded[:, 1:])
        return features


@register_encoder
def slate(
    *,
    image_size: tuple[int, int] = (64, 64),
    num_slots: int = 7,
    slot_dim: int = 64,
    vocabulary_size: int = 128,
    dvae_dim: int = 32,
    dim: int = 64,
    num_blocks: int = 2,
    num_heads: int = 4,
    num_iterations: int = 3,
    mlp_dim: int | None = None,
    dropout: float = 0.0,
    annealing_steps: int = 2000,
    dvae_rate: float = 3.0,
) -> SLATE:
    """Make a SLATE, small enough for one core.

    Args:
        image_size: (height, width), divisible by 4.
        num_slots: K.
        slot_dim: D.
        vocabulary_size: of the discrete VAE.
        dvae_dim: channels of its layers.
        dim: width of the transformer, and of what slot attention reads.
        num_blocks: depth of the transformer.
        num_heads: of the transformer.
        num_iterations: of slot attention.
        mlp_dim: hidden width of slot attention's MLP. None: D.
        dropout: of the transformer and its inputs.
        annealing_steps: steps of training over which the temperature falls from 1 to 0.1.
        dvae_rate: learning rate of the discrete VAE, in units of the run's.
    """
    grid = code_grid(image_size)
    corrector = SlotAttention(dim, slot_dim, gru_hidden="raw", mlp_dim=mlp_dim or slot_dim)
    encoder = SLATE(
        image_size,
        grid,
        DiscreteVAE(vocabulary_size, dim=dvae_dim),
        CodeEmbedding(vocabulary_size, grid[0] * grid[1], dim, dropout=dropout),
        MLP(dim, [dim], dim, layer_norm=True),
        SlotRecurrence(
            RandomInitializer(num_slots, slot_dim),
            corrector,
            None,
            first_iterations=num_iterations,
            iterations=num_iterations,
        ),
        CodeDecoder(
            vocabulary_size,
            slot_dim,
            dim,
            num_blocks=num_blocks,
            num_heads=num_heads,
            dropout=dropout,
        ),
        CosineAnnealing(1.0, 0.1, annealing_steps),
    )
    encoder.dvae_rate = dvae_rate
    return encoder
