"""A view of an encoder: its masks without its decoder."""

from __future__ import annotations

from torch import Tensor

from ocrl.encoder import EncoderOutput
from ocrl.encoders.wrapper import EncoderWrapper


class AttentionMasks(EncoderWrapper):
    """An encoder whose segmentation is where its slots look, not what its decoder draws.

    What an agent's tokens are made of; the decoder takes no part in it, and may lag behind.

    Args:
        encoder: with a decoder that draws masks of its own.
    """

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Return what the encoder does, whose masks are where tokens look."""
        return self.encoder.step(frames, state, is_first)

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Return what the encoder does, in its own way."""
        return self.encoder.encode_video(videos, state)
