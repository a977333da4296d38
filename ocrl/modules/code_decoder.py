"""Codes of a discrete VAE as a sentence that a transformer tells from slots, word by word."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.modules.dropout import Dropout
from ocrl.modules.slate_transformer import SLATETransformer


class CodeEmbedding(nn.Module):
    """Codes to vectors, with their places learned, behind a first vector that stands for no code.

    Places start as large as codes, both N(0, 1), places cut off at 2.

    >>> CodeEmbedding(vocabulary_size=16, num_codes=9, dim=8)(torch.zeros(2, 9).long()).shape
    torch.Size([2, 10, 8])

    Args:
        vocabulary_size: V.
        num_codes: N, of an image.
        dim: d.
        dropout: of the sum of code and place.
    """

    def __init__(
        self, vocabulary_size: int, num_codes: int, dim: int, *, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(1, 1, dim))
        self.codes = nn.Embedding(vocabulary_size, dim)
        self.places = nn.Parameter(torch.empty(1, 1 + num_codes, dim))
        nn.init.trunc_normal_(self.places)
        self.dropout = Dropout(dropout)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes (B, n), n of N or fewer, to (B, 1 + n, d)."""
        first = self.first.expand(len(codes), -1, -1)
        vectors = torch.cat([first, self.codes(codes)], dim=1)
        embedded: Tensor = self.dropout(vectors + self.places[:, : vectors.shape[1]])
        return embedded


class CodeDecoder(nn.Module):
    """Predicts each code from those before it and the slots (SLATE, arXiv 2110.11405, section 3.2).

    Args:
        vocabulary_size: V.
        slot_dim: D.
        dim: d.
        num_blocks: depth.
        num_heads: divides d.
        dropout: see `SLATEBlock`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        slot_dim: int,
        dim: int,
        *,
        num_blocks: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.to_memory = nn.Linear(slot_dim, dim, bias=False)
        self.transformer = SLATETransformer(
            dim, num_blocks=num_blocks, num_heads=num_heads, decoder=True, dropout=dropout
        )
        self.to_logits = nn.Linear(dim, vocabulary_size, bias=False)
        nn.init.xavier_uniform_(self.to_memory.weight)
        nn.init.xavier_uniform_(self.to_logits.weight)

    def forward(self, embedded: Tensor, slots: Tensor) -> Tensor:
        """Return the logits of each code.

        Args:
            embedded: (B, N, d), a first vector and the codes but the last, as `CodeEmbedding` has
                them.
            slots: (B, K, D).

        Returns:
            (B, N, V).
        """
        logits: Tensor = self.to_logits(self.transformer(embedded, self.to_memory(slots)))
        return logits

    def code_parameters(self) -> list[nn.Parameter]:
        """Return its parameters but for those that read the slots."""
        return [*self.transformer.parameters(), *self.to_logits.parameters()]

    @torch.no_grad()
    def generate(self, embedding: CodeEmbedding, slots: Tensor, num_codes: int) -> Tensor:
        """Tell the likeliest code after each other from slots (B, K, D): integers (B, N)."""
        codes = torch.empty(len(slots), 0, dtype=torch.long, device=slots.device)
        for _ in range(num_codes):
            next_code = self(embedding(codes), slots)[:, -1].argmax(-1, keepdim=True)
            codes = torch.cat([codes, next_code], dim=1)
        return codes
