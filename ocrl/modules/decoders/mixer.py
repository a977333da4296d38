"""Slot mixer decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.modules.mlp import MLP
from ocrl.modules.transformer import LogitScale, Transformer


class SlotMixerDecoder(Decoder):
    """Mixes the slots first and decodes once per patch (VideoSAUR, arXiv 2306.04829, section 4.2).

    The allocator lets position queries attend to the slots; its outputs choose among them:

        q_n = LN(allocator(position_n; slots));  masks = softmax_k  q_n k_k^T / sqrt(D)
        y_n = MLP(sum_k m_kn slot_k + position_n)

    The decoder of the Object Scene Representation Transformer (arXiv 2206.06922). Its MLP runs
    once per patch, not once per patch and slot.

    >>> decoder = SlotMixerDecoder(slot_dim=4, target_dim=6, hidden_dims=[8, 8], grid_size=(3, 3))
    >>> decoded = decoder(torch.rand(2, 5, 4), torch.rand(2, 5, 9), torch.rand(2, 9, 6))
    >>> decoded.reconstruction.shape, decoded.masks.shape
    (torch.Size([2, 9, 6]), torch.Size([2, 5, 9]))

    Args:
        slot_dim: D.
        target_dim: F.
        hidden_dims: widths of the renderer's hidden layers; all end in a ReLU.
        grid_size: (height, width) of the patches.
        num_blocks: depth of the allocator.
        num_heads: heads of the allocator.
        logit_scale: see `ocrl.modules.transformer.Attention`.
    """

    def __init__(
        self,
        slot_dim: int,
        target_dim: int,
        hidden_dims: Sequence[int],
        grid_size: tuple[int, int],
        *,
        num_blocks: int = 2,
        num_heads: int = 4,
        logit_scale: LogitScale = "sqrt_dim",
    ) -> None:
        super().__init__(grid_size)
        if not hidden_dims:
            raise UsageError("a slot mixer decoder needs at least one width in hidden_dims")
        num_patches = self.grid_size[0] * self.grid_size[1]
        self.scale = slot_dim**-0.5
        self.pos_emb = nn.Parameter(torch.randn(1, num_patches, slot_dim) * slot_dim**-0.5)
        self.allocator = Transformer(
            slot_dim, num_blocks=num_blocks, num_heads=num_heads, logit_scale=logit_scale
        )
        *inner_dims, renderer_dim = hidden_dims
        self.renderer = MLP(slot_dim, inner_dims, renderer_dim, final_activation=True)
        self.output_transform = nn.Linear(renderer_dim, target_dim)
        self.to_q = nn.Linear(slot_dim, slot_dim, bias=False)
        self.to_k = nn.Linear(slot_dim, slot_dim, bias=False)
        self.norm_q = nn.LayerNorm(slot_dim)
        self.norm_k = nn.LayerNorm(slot_dim)
        self.norm_memory = nn.LayerNorm(slot_dim)
        for linear in (self.to_q, self.to_k, self.output_transform):
            nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(self.output_transform.bias)

    def forward(self, slots: Tensor, attention: Tensor, target: Tensor) -> DecoderOutput:
        """Decode slots (B, K, D); ``attention`` and ``target`` are not used."""
        positions = self.pos_emb.expand(len(slots), -1, -1)
        queries = self.to_q(self.norm_q(self.allocator(positions, self.norm_memory(slots))))
        keys = self.to_k(self.norm_k(slots))
        masks = torch.softmax(keys @ queries.transpose(1, 2) * self.scale, dim=1)
        mixed = masks.transpose(1, 2) @ slots + positions
        return DecoderOutput(self.output_transform(self.renderer(mixed)), masks)
