"""Transformer blocks: the predictor between frames, and the slot mixer's allocator."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.dropout import dropout as drop

LogitScale = Literal["sqrt_dim", "inverse_sqrt_dim"]
NormOrder = Literal["pre", "post"]


class Attention(nn.Module):
    """Multi-head attention of queries to a memory, or to themselves.

    Args:
        dim: width D of queries, memory and output.
        num_heads: number of heads; divides D.
        logit_scale: "inverse_sqrt_dim" divides the logits by sqrt(D / num_heads) (Vaswani et al.
            2017, equation 1); "sqrt_dim" multiplies by it instead, as the official SlotContrast
            and VideoSAUR code does and their released weights expect.
        bias: whether the projections have one.
        dropout: of the attention's weights.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        logit_scale: LogitScale,
        *,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise UsageError(f"{num_heads} heads do not divide a width of {dim}: change either")
        if logit_scale not in ("sqrt_dim", "inverse_sqrt_dim"):
            raise UsageError(
                f"logit_scale is {logit_scale!r}: choose 'sqrt_dim' or 'inverse_sqrt_dim'"
            )
        self.num_heads = num_heads
        self.scale = math.sqrt(dim / num_heads) ** (1 if logit_scale == "sqrt_dim" else -1)
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.out_proj = nn.Linear(dim, dim, bias=bias)
        for weight in (*self.qkv.weight.chunk(3), self.out_proj.weight):
            nn.init.xavier_uniform_(weight.data)
        if bias:
            nn.init.zeros_(self.qkv.bias)
            nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, queries: Tensor, memory: Tensor | None = None, *, causal: bool = False
    ) -> Tensor:
        """Map queries (B, N, D) and a memory (B, M, D) to (B, N, D)."""
        if memory is None:
            q, k, v = self.qkv(queries).chunk(3, dim=-1)
        else:
            dim, bias = queries.shape[-1], self.qkv.bias
            q_bias, kv_bias = (None, None) if bias is None else (bias[:dim], bias[dim:])
            q = F.linear(queries, self.qkv.weight[:dim], q_bias)
            k, v = F.linear(memory, self.qkv.weight[dim:], kv_bias).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        if causal and dropout and q.device.type == "cpu":
            mixed = look_back(q, k, v, self.scale, dropout)
        else:
            mixed = F.scaled_dot_product_attention(
                q, k, v, dropout_p=dropout, scale=self.scale, is_causal=causal
            )
        output: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return output


def look_back(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    scale: float,
    probability: float,
    num_blocks: int = 4,
) -> Tensor:
    """Attend to the same place and those before it, with dropout of the weights.

    PyTorch's attention does so too, but on a CPU it computes the weights of what comes after as
    well, to hide them. Here queries of a block leave out the blocks after theirs.

    Args:
        queries: (..., N, D).
        keys: (..., N, D).
        values: (..., N, D).
        scale: of the logits.
        probability: of a weight to be dropped.
        num_blocks: of queries.

    Returns:
        (..., N, D).
    """
    outputs = []
    places = torch.arange(queries.shape[-2], device=queries.device)
    for block in places.chunk(num_blocks):
        begin, end = int(block[0]), int(block[-1]) + 1
        logits = queries[..., begin:end, :] * scale @ keys[..., :end, :].mT
        later = places[:end] > block.unsqueeze(1)
        weights = logits.masked_fill(later, -math.inf).softmax(-1)
        outputs.append(drop(weights, probability) @ values[..., :end, :])
    return torch.cat(outputs, dim=-2)


class TransformerBlock(nn.Module):
    """Attention and a ReLU feed-forward layer, both residual, no dropout.

    Args:
        dim: width D.
        num_heads: number of heads.
        logit_scale: see `Attention`.
        norm_order: "pre" normalises before attention and feed-forward, "post" after the sum (SAVi).
        hidden_dim: width of the feed-forward layer. None: 4 D; 2 D in SAVi.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        logit_scale: LogitScale,
        norm_order: NormOrder = "pre",
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        hidden_dim = hidden_dim or 4 * dim
        if norm_order not in ("pre", "post"):
            raise UsageError(f"norm_order is {norm_order!r}: choose 'pre' or 'post'")
        self.norm_order = norm_order
        self.self_attn = Attention(dim, num_heads, logit_scale)
        self.linear1 = nn.Linear(dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> Tensor:
        """Map (B, N, D) to (B, N, D); with a memory (B, M, D), attention goes to it alone."""
        if self.norm_order == "pre":
            hidden: Tensor = inputs + self.self_attn(self.norm1(inputs), memory)
            return hidden + self._feed_forward(self.norm2(hidden))
        hidden = self.norm1(inputs + self.self_attn(inputs, memory))
        output: Tensor = self.norm2(hidden + self._feed_forward(hidden))
        return output

    def _feed_forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.linear2(torch.relu(self.linear1(inputs)))
        return output


class Transformer(nn.Module):
    """A stack of transformer blocks, without a final norm.

    With one block it is the predictor of SAVi (arXiv 2111.12594, section 2), SlotContrast and
    VideoSAUR: slots of frame t in, where the slots of frame t + 1 start out.

    >>> Transformer(dim=64)(torch.zeros(2, 7, 64)).shape
    torch.Size([2, 7, 64])

    Args:
        dim: width D.
        num_blocks: depth.
        num_heads: number of heads.
        logit_scale: see `Attention`.
        norm_order: see `TransformerBlock`.
        hidden_dim: see `TransformerBlock`.
    """

    def __init__(
        self,
        dim: int,
        *,
        num_blocks: int = 1,
        num_heads: int = 4,
        logit_scale: LogitScale = "sqrt_dim",
        norm_order: NormOrder = "pre",
        hidden_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, num_heads, logit_scale, norm_order, hidden_dim)
            for _ in range(num_blocks)
        )

    def forward(self, inputs: Tensor, memory: Tensor | None = None) -> Tensor:
        """Map (B, N, D) to (B, N, D); with a memory (B, M, D), attention goes to it alone."""
        outputs = inputs
        for block in self.blocks:
            outputs = block(outputs, memory)
        return outputs
