"""Slot Attention: slots compete for the tokens of a frame."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.mlp import MLP

GRUHidden = Literal["normalised", "raw"]


class SlotAttention(nn.Module):
    """Slot Attention (Locatello et al. 2020, arXiv 2006.15055, algorithm 1).

    One iteration, for slots S, keys k and values v of the frame's tokens:

        A = softmax over slots of  q(LN(S)) k^T / sqrt(D)
        U = weighted mean of v, with weights A
        S = GRU(U, hidden);  S = S + MLP(LN(S))

    Keys and values are linear in the tokens, of which there are far more than slots. So the
    queries are taken through the keys' weights, and the values' weights come after the mean: the
    same numbers for less work.

    Published code differs in what the GRU takes as its hidden state: the official SlotContrast
    and VideoSAUR code gives it LN(S), everybody else S as it was. VideoSAUR and SAVi drop the MLP.

    >>> slots, attention, _ = SlotAttention(8, 4)(torch.rand(2, 9, 8), torch.rand(2, 3, 4), 2)
    >>> slots.shape, attention.shape
    (torch.Size([2, 3, 4]), torch.Size([2, 3, 9]))

    Args:
        feature_dim: width of the tokens.
        slot_dim: width of a slot, D.
        gru_hidden: "normalised" (official SlotContrast and VideoSAUR) or "raw" (the paper).
        mlp: whether a residual MLP ends each iteration.
        mlp_dim: width of its hidden layer. None: 4 D.
        mlp_on_last: whether it ends the last iteration too; STEVE leaves it out there.
        eps: added to the attention before it is normalised over the tokens.
    """

    def __init__(
        self,
        feature_dim: int,
        slot_dim: int,
        *,
        gru_hidden: GRUHidden = "normalised",
        mlp: bool = True,
        mlp_dim: int | None = None,
        mlp_on_last: bool = True,
        eps: float = 1e-8,
    ) -> None:
        super().__init__()
        if gru_hidden not in ("normalised", "raw"):
            raise UsageError(f"gru_hidden is {gru_hidden!r}: choose 'normalised' or 'raw'")
        self.slot_dim = slot_dim
        self.gru_hidden = gru_hidden
        self.mlp_on_last = mlp_on_last
        self.eps = eps
        self.norm_features = nn.LayerNorm(feature_dim)
        self.norm_slots = nn.LayerNorm(slot_dim)
        self.to_q = nn.Linear(slot_dim, slot_dim, bias=False)
        self.to_k = nn.Linear(feature_dim, slot_dim, bias=False)
        self.to_v = nn.Linear(feature_dim, slot_dim, bias=False)
        self.gru = nn.GRUCell(slot_dim, slot_dim)
        self.mlp = (
            MLP(slot_dim, [mlp_dim or 4 * slot_dim], slot_dim, layer_norm=True, residual=True)
            if mlp
            else nn.Identity()
        )

    def forward(
        self, features: Tensor, slots: Tensor, num_iterations: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Refine slots on one frame.

        Args:
            features: (B, N, feature_dim), the frame's tokens.
            slots: (B, K, D), where to start from.
            num_iterations: how often; at least once.

        Returns:
            Slots (B, K, D); the last iteration's attention (B, K, N), summing to one over K; and
            its logits (B, K, N), of which attention is the softmax over K.
        """
        tokens = self.norm_features(features)
        for left in reversed(range(num_iterations)):
            slots, attention, logits = self.iterate(slots, tokens, last=left == 0)
        return slots, attention, logits

    def iterate(
        self, slots: Tensor, tokens: Tensor, *, last: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run one iteration on (B, K, D) slots.

        Args:
            slots: (B, K, D).
            tokens: (B, N, feature_dim), through `norm_features`.
            last: whether it is the last.

        Returns:
            The new slots, attention (B, K, N) and its logits (B, K, N).
        """
        normalised = self.norm_slots(slots)
        queries = self.to_q(normalised) * self.slot_dim**-0.5 @ self.to_k.weight
        logits = queries @ tokens.transpose(1, 2)
        attention = torch.softmax(logits, dim=1)
        weights = attention + self.eps
        updates = self.to_v((weights / weights.sum(dim=-1, keepdim=True)) @ tokens)
        hidden = normalised if self.gru_hidden == "normalised" else slots
        slots = self.gru(updates.flatten(0, 1), hidden.flatten(0, 1)).unflatten(0, slots.shape[:2])
        slots = self.mlp(slots) if self.mlp_on_last or not last else slots
        return slots, attention, logits
