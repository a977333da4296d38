"""The transformer of SLATE and STEVE."""

from __future__ import annotations

from torch import Tensor, nn

from ocrl.modules.dropout import Dropout
from ocrl.modules.transformer import Attention


class SLATEBlock(nn.Module):
    """A pre-norm block as in SLATE and STEVE: attention without biases, ReLU, dropout.

    A stack's first block replaces its input by the norm of it.

    Args:
        dim: d.
        num_heads: divides d.
        decoder: self-attention looks back alone, and attention to a memory follows it.
        first: whether it is the first of its stack.
        dropout: of attention weights and of what each part adds.
        gain: of the initial weights of what each part adds.
    """

    def __init__(
        self, dim: int, num_heads: int, *, decoder: bool, first: bool, dropout: float, gain: float
    ) -> None:
        super().__init__()
        self.first = first
        self.norm1 = nn.LayerNorm(dim)
        self.self_attn = self._attention(dim, num_heads, dropout, gain)
        self.norm2 = nn.LayerNorm(dim) if decoder else None
        self.cross_attn = self._attention(dim, num_heads, dropout, gain) if decoder else None
        self.norm3 = nn.LayerNorm(dim)
        widen, narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        nn.init.kaiming_uniform_(widen.weight, nonlinearity="relu")
        nn.init.xavier_uniform_(narrow.weight, gain)
        nn.init.zeros_(widen.bias)
        nn.init.zeros_(narrow.bias)
        self.feed_forward = nn.Sequential(widen, nn.ReLU(inplace=True), narrow)
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> Tensor:
        """Map (B, N, d), and the memory (B, K, d) of a decoder, to (B, N, d)."""
        normalised = self.norm1(inputs)
        hidden = normalised if self.first else inputs
        causal = self.cross_attn is not None
        hidden = hidden + self.dropout(self.self_attn(normalised, causal=causal))
        if self.cross_attn is not None and self.norm2 is not None:
            hidden = hidden + self.dropout(self.cross_attn(self.norm2(hidden), memory))
        output: Tensor = hidden + self.dropout(self.feed_forward(self.norm3(hidden)))
        return output

    @staticmethod
    def _attention(dim: int, num_heads: int, dropout: float, gain: float) -> Attention:
        attention = Attention(dim, num_heads, "inverse_sqrt_dim", bias=False, dropout=dropout)
        nn.init.xavier_uniform_(attention.out_proj.weight, gain)
        return attention


class SLATETransformer(nn.Module):
    """A stack of `SLATEBlock`, with a norm at its end.

    Args:
        dim: d.
        num_blocks: depth.
        num_heads: divides d.
        decoder: see `SLATEBlock`; without, it is the predictor of STEVE.
        dropout: see `SLATEBlock`.
    """

    def __init__(
        self,
        dim: int,
        *,
        num_blocks: int = 1,
        num_heads: int = 4,
        decoder: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        parts = 3 if decoder else 2
        self.blocks = nn.ModuleList(
            SLATEBlock(
                dim,
                num_heads,
                decoder=decoder,
                first=index == 0,
                dropout=dropout,
                gain=(parts * num_blocks) ** -0.5,
            )
            for index in range(num_blocks)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> Tensor:
        """Map (B, N, d), and the memory (B, K, d) of a decoder, to (B, N, d)."""
        hidden = inputs
        for block in self.blocks:
            hidden = block(hidden, memory)
        output: Tensor = self.norm(hidden)
        return output
