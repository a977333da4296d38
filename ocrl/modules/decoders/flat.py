"""Flat decoder: one constant per slot."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.objectives import feature_reconstruction, flat_mixture_likelihood


class FlatDecoder(Decoder):
    """Paints each slot in one constant vector, where its attention lies.

        c_k = linear(slot_k);  y_n = sum_k A_kn c_k

    Slot attention's own masks are the masks, so there is nothing that a decoder could hide: a slot
    has to look at a region that one colour and one place describe. It learns in a minute what
    decoders of features need a GPU for, and is a fallback for where there is none: it groups by
    colour and place, not by object.

    Args:
        slot_dim: D.
        target_dim: F.
        grid_size: (height, width) of the tokens that slot attention reads.
        sigma: spread of a target around its slot's constant, in units of the target.
    """

    has_masks = False

    def __init__(
        self, slot_dim: int, target_dim: int, grid_size: tuple[int, int], *, sigma: float = 0.5
    ) -> None:
        super().__init__(grid_size)
        self.sigma = sigma
        self.to_constant = nn.Linear(slot_dim, target_dim)

    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Decode slots (B, K, D) that attend to the tokens with (B, K, N)."""
        return DecoderOutput(attention.transpose(1, 2) @ self.to_constant(slots), attention)

    def loss(self, slots: Tensor, attention: Tensor, target: Tensor) -> Tensor:
        """Return the mean of the mixture's squared error and its negative log likelihood."""
        constants = self.to_constant(slots)
        reconstruction = attention.transpose(1, 2) @ constants
        error = feature_reconstruction(reconstruction, target)
        likelihood = flat_mixture_likelihood(target, attention, constants, self.sigma)
        return 0.5 * (error + likelihood)
