"""The network of iterative amortised inference: what is wrong with an estimate to a better one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """A convolution of stride 2 padded as TensorFlow's SAME: what is odd goes below and right.

    >>> SameConv2d(1, 1, 3, 2)(torch.zeros(1, 1, 35, 64)).shape
    torch.Size([1, 1, 18, 32])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride))."""
        padding: list[int] = []
        for axis in (1, 0):
            size, kernel, stride = inputs.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(inputs, padding))


class LSTM(nn.Module):
    """A long short-term memory with one bias, and one added to its forget gates.

    Args:
        in_dim: width of the input.
        dim: H, width of the memory.
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.gates = nn.Linear(in_dim + dim, 4 * dim)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Map inputs (N, in_dim) and a state, hidden and cell, (N, 2 H) to the next state."""
        hidden, cell = state.chunk(2, dim=-1)
        gates = self.gates(torch.cat([inputs, hidden], dim=-1)).chunk(4, dim=-1)
        put, value, keep, show = gates
        cell = torch.sigmoid(keep + 1) * cell + put.sigmoid() * value.tanh()
        return torch.cat([show.sigmoid() * cell.tanh(), cell], dim=-1)


class RefinementNetwork(nn.Module):
    """Maps and vectors about an estimate to an update of it (IODINE, arXiv 1903.00450, appendix B).

        maps -> convolutions, mean over the image, MLP -> [., vectors] -> LSTM -> linear -> update

    Args:
        map_dim: channels of the maps.
        vector_dim: width of the vectors.
        out_dim: width of the update.
        channels: of each convolution, of stride 2.
        kernel_size: of all of them.
        hidden_dims: widths of the MLP's layers.
        lstm_dim: width of the LSTM. 0: none.
    """

    def __init__(
        self,
        map_dim: int,
        vector_dim: int,
        out_dim: int,
        *,
        channels: Sequence[int],
        kernel_size: int,
        hidden_dims: Sequence[int],
        lstm_dim: int,
    ) -> None:
        super().__init__()
        convolutions: list[nn.Module] = []
        for dims in pairwise([map_dim, *channels]):
            convolutions += [SameConv2d(*dims, kernel_size, stride=2), nn.ELU()]
        self.convolutions = nn.Sequential(*convolutions)
        layers: list[nn.Module] = []
        for dims in pairwise([channels[-1], *hidden_dims]):
            layers += [nn.Linear(*dims), nn.ELU()]
        self.mlp = nn.Sequential(*layers[:-1])
        in_dim = hidden_dims[-1] + vector_dim
        self.lstm = LSTM(in_dim, lstm_dim) if lstm_dim else None
        self.head = nn.Linear(lstm_dim or in_dim, out_dim)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (N, 2 H)."""
        dim = 0 if self.lstm is None else self.lstm.dim
        return self.head.weight.new_zeros(batch_size, 2 * dim)

    def forward(self, maps: Tensor, vectors: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map maps (N, C, H, W), vectors (N, V) and a state to an update (N, out) and a state."""
        features = self.mlp(self.convolutions(maps).mean((2, 3)))
        hidden = torch.cat([features, vectors], dim=-1)
        if self.lstm is not None:
            state = self.lstm(hidden, state)
            hidden = state.chunk(2, dim=-1)[0]
        return self.head(hidden), state
