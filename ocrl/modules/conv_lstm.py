"""Convolutional LSTM: features that remember."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvLSTMCell(nn.Module):
    """A convolutional LSTM with peepholes of their own at each place (Shi et al. 2015).

        i, f, o = sigmoid(conv_x(x) + conv_h(h) + w * c);   c' = f c + i tanh(.);   h' = o tanh(c')

    All three gates look at the old c, as in SCALOR; arXiv 1506.04214 lets o look at the new one.
    The gates of input and output start open, so that what goes in comes out: with torch's usual
    weights two cells on top of each other divide their input by about 80.

    Args:
        in_dim: channels of x.
        dim: channels of h and c.
        grid_size: (rows, columns).
    """

    def __init__(self, in_dim: int, dim: int, grid_size: tuple[int, int]) -> None:
        super().__init__()
        self.peepholes = nn.ParameterList(torch.zeros(1, dim, *grid_size) for _ in range(3))
        self.conv_x = nn.Conv2d(in_dim, 4 * dim, 3, padding=1)
        self.conv_h = nn.Conv2d(dim, 4 * dim, 3, padding=1, bias=False)
        nn.init.kaiming_uniform_(self.conv_x.weight, nonlinearity="tanh")
        for gate in (slice(0, dim), slice(2 * dim, 3 * dim)):
            nn.init.constant_(self.conv_x.bias[gate], 2.0)  # type: ignore[index]

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the next (h, c), (B, dim, rows, columns) each."""
        hidden, cell = state
        both = self.conv_x(inputs) + self.conv_h(hidden)
        to_input, to_forget, to_output, new = both.chunk(4, dim=1)
        peep_input, peep_forget, peep_output = self.peepholes
        kept = torch.sigmoid(to_forget + cell * peep_forget) * cell
        added = torch.sigmoid(to_input + cell * peep_input) * torch.tanh(new)
        output = torch.sigmoid(to_output + cell * peep_output)
        return output * torch.tanh(kept + added), kept + added
