"""Recurrent cells and MLPs of SQAIR, as Sonnet has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class GRUCell(nn.Module):
    """A GRU whose reset gate acts before the product, as Sonnet has it (Cho et al. 2014).

    h' = (1 - z) h + z tanh(W x + U (r h) + b)
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.update = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.reset = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.new = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.biases = nn.ParameterList(torch.zeros(dim) for _ in range(3))
        self.initial = nn.Parameter(torch.zeros(1, dim))
        for gate in (self.update, self.reset, self.new):
            for weight in gate:
                nn.init.xavier_uniform_(weight)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Map (..., in_dim) and a state (..., dim) to the next state."""
        update = inputs @ self.update[0] + hidden @ self.update[1] + self.biases[0]
        reset = inputs @ self.reset[0] + hidden @ self.reset[1] + self.biases[1]
        kept = reset.sigmoid() * hidden
        new = torch.tanh(inputs @ self.new[0] + kept @ self.new[1] + self.biases[2])
        return torch.lerp(hidden, new, update.sigmoid())


class RNNCell(nn.Module):
    """A plain recurrent network, h' = tanh(W x + U h + b), with a learned first state."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.read = nn.Linear(in_dim, dim)
        self.carry = nn.Linear(dim, dim)
        self.initial = nn.Parameter(torch.zeros(1, dim))

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Map (N, in_dim) and a state (N, dim) to the next state."""
        return torch.tanh(self.read(inputs) + self.carry(hidden))


def elu_mlp(dims: Sequence[int], *, ends_in_elu: bool = False) -> nn.Sequential:
    """Return linear layers with ELU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(dims):
        layers += [nn.Linear(before, after), nn.ELU()]
    return nn.Sequential(*(layers if ends_in_elu else layers[:-1]))
