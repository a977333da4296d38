"""Autoregressive transformer decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.modules.transformer import Attention


class AutoregressiveDecoder(Decoder):
    """Predicts each patch from those before it and the slots (DINOSAUR, arXiv 2209.14860).

    A causal transformer over the target, shifted by one, that attends to the slots. The masks are
    the last layer's attention to them, averaged over heads: which slot a patch was drawn from.

    >>> decoder = AutoregressiveDecoder(4, 8, grid_size=(3, 3), num_heads=2)
    >>> decoded = decoder(torch.rand(2, 5, 4), torch.rand(2, 5, 9), torch.rand(2, 9, 8))
    >>> decoded.reconstruction.shape, decoded.masks.shape
    (torch.Size([2, 9, 8]), torch.Size([2, 5, 9]))

    Args:
        slot_dim: D.
        target_dim: F, also the width of the transformer.
        grid_size: (height, width) of the patches.
        num_blocks: depth.
        num_heads: number of heads; divides F.
    """

    def __init__(
        self,
        slot_dim: int,
        target_dim: int,
        grid_size: tuple[int, int],
        *,
        num_blocks: int = 4,
        num_heads: int = 8,
    ) -> None:
        super().__init__(grid_size)
        self.first_patch = nn.Parameter(torch.randn(1, 1, target_dim) * target_dim**-0.5)
        self.from_target = _normalised_linear(target_dim, target_dim)
        self.from_slots = _normalised_linear(slot_dim, target_dim)
        self.blocks = nn.ModuleList(CausalBlock(target_dim, num_heads) for _ in range(num_blocks))

    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Predict each patch of the target (B, N, F) from those before; ``attention`` is unused."""
        first = self.first_patch.expand(len(target), -1, -1)
        hidden = self.from_target(torch.cat([first, target[:, :-1]], dim=1))
        memory = self.from_slots(slots)
        for block in self.blocks:
            hidden, masks = block(hidden, memory)
        return DecoderOutput(hidden, masks)


class CausalBlock(nn.Module):
    """A pre-norm transformer decoder block that also tells where it looked in its memory.

    Args:
        dim: width D.
        num_heads: number of heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(dim, num_heads, "inverse_sqrt_dim")
        self.cross_attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(inplace=True), nn.Linear(4 * dim, dim)
        )

    def forward(self, inputs: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, N, D) and a memory (B, K, D) to (B, N, D) and attention (B, K, N)."""
        hidden = inputs + self.self_attn(self.norm1(inputs), causal=True)
        looked, weights = self.cross_attn(self.norm2(hidden), memory, memory)
        hidden = hidden + looked
        return hidden + self.feed_forward(self.norm3(hidden)), weights.transpose(1, 2)


def _normalised_linear(in_dim: int, out_dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_dim, out_dim, bias=False), nn.LayerNorm(out_dim))
