"""What every decoder takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from ocrl.objectives import feature_reconstruction


class DecoderOutput(NamedTuple):
    """A decoded frame.

    Attributes:
        reconstruction: (B, N, F), one vector per cell of the decoder's grid, row by row.
        masks: (B, K, N), which slot explains a cell; sums to one over K.
    """

    reconstruction: Tensor
    masks: Tensor


class Decoder(nn.Module, ABC):
    """Reconstructs a target (B, N, F) from slots.

    Attributes:
        grid_size: (height, width) of what is decoded, N = height * width.
        has_masks: whether the masks are its own, and not where the slots looked.
    """

    has_masks: bool = True

    def __init__(self, grid_size: tuple[int, int]) -> None:
        super().__init__()
        self.grid_size = (int(grid_size[0]), int(grid_size[1]))

    @abstractmethod
    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Decode.

        Args:
            slots: (B, K, D).
            attention: (B, K, tokens), where the slots looked. Only a decoder without masks of its
                own uses it.
            target: (B, N, F), what is to be reconstructed. Only an autoregressive decoder reads
                it, up to the cell before.
        """

    def loss(self, slots: Tensor, attention: Tensor, target: Tensor) -> Tensor:
        """Return how far the reconstruction is from the target; arguments as in ``forward``."""
        return feature_reconstruction(self(slots, attention, target).reconstruction, target)
