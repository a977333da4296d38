"""A view of an encoder: its masks without its decoder."""

from __future__ import annotations

from torch import Tensor

from ocrl.encoder import Batch, Encoder, EncoderOutput


class AttentionMasks(Encoder):
    """An encoder whose segmentation is where its slots look, not what its decoder draws.

    What an agent's tokens are made of; the decoder takes no part in it, and may lag behind.

    Args:
        encoder: with a decoder that draws masks of its own.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.num_tokens = encoder.num_tokens
        self.token_dim = encoder.token_dim
        self.image_size = encoder.image_size
        self.asks_for = encoder.asks_for

    def initial_state(self, batch_size: int) -> Tensor | None:
        """Return the encoder's own."""
        return self.encoder.initial_state(batch_size)

    def first_state(self, batch: Batch) -> Tensor | None:
        """Return the encoder's own."""
        return self.encoder.first_state(batch)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Return what the encoder does, whose masks are where tokens look."""
        return self.encoder.step(frames, state, is_first)

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Return what the encoder does, in its own way."""
        return self.encoder.encode_video(videos, state)
