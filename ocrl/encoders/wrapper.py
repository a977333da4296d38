"""An encoder around another one: a base class for those that change what comes out of it."""

from __future__ import annotations

from torch import Tensor

from ocrl.encoder import Batch, Encoder


class EncoderWrapper(Encoder):
    """Starts its videos as another encoder does, with tokens of the same number and width.

    Args:
        encoder: the one inside.
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
