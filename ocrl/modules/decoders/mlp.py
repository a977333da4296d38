"""MLP patch decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.modules.mlp import MLP


class MLPDecoder(Decoder):
    """Decodes every slot at every patch on its own (DINOSAUR, arXiv 2209.14860, section 3.2).

        [y_kn, a_kn] = MLP(slot_k + position_n);  masks = softmax_k a;  y_n = sum_k m_kn y_kn

    The first and the last layer are linear and the masks sum to one, so the first is applied to
    slots and positions apart and the last to the mixture: the same numbers, K times less work.

    >>> decoder = MLPDecoder(slot_dim=4, target_dim=6, hidden_dims=[8, 8], grid_size=(3, 3))
    >>> decoded = decoder(torch.rand(2, 5, 4), torch.rand(2, 5, 9), torch.rand(2, 9, 6))
    >>> decoded.reconstruction.shape, decoded.masks.shape
    (torch.Size([2, 9, 6]), torch.Size([2, 5, 9]))

    Args:
        slot_dim: D.
        target_dim: F.
        hidden_dims: widths of the hidden layers, at least one.
        grid_size: (height, width) of the patches.
    """

    def __init__(
        self,
        slot_dim: int,
        target_dim: int,
        hidden_dims: Sequence[int],
        grid_size: tuple[int, int],
    ) -> None:
        super().__init__(grid_size)
        num_patches = self.grid_size[0] * self.grid_size[1]
        self.pos_emb = nn.Parameter(torch.randn(1, 1, num_patches, slot_dim) * slot_dim**-0.5)
        self.mlp = MLP(slot_dim, hidden_dims, target_dim + 1)

    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Decode slots (B, K, D); ``attention`` and ``target`` are not used."""
        first, *hidden, last = self.mlp.layers
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        position = F.linear(self.pos_emb, first.weight)
        activations = first(slots).unsqueeze(2) + position
        for layer in hidden:
            activations = layer(activations)
        alpha = F.linear(activations, last.weight[-1:], last.bias[-1:]).squeeze(-1)
        masks = torch.softmax(alpha, dim=1)
        mixture = torch.einsum("bkn,bknh->bnh", masks, activations)
        return DecoderOutput(F.linear(mixture, last.weight[:-1], last.bias[:-1]), masks)
