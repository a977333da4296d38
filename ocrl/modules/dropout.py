"""Dropout whose random numbers are cheap on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dropout(inputs: Tensor, probability: float) -> Tensor:
    """Zero numbers at random, and scale up the rest.

    On a CPU most of what dropout costs are its random numbers. Here four share one that the
    generator makes: each has 16 bits of it.

    Args:
        inputs: of any shape.
        probability: of a number to become zero, in [0, 1); on a CPU it is rounded to 1 / 65536.
    """
    if inputs.device.type != "cpu":
        return F.dropout(inputs, probability)
    drawn = torch.empty((inputs.numel() + 3) // 4, dtype=torch.long).random_(-(2**63), None)
    drawn = drawn.view(torch.int16)[: inputs.numel()].view(inputs.shape)
    kept = drawn >= round(probability * 2**16) - 2**15
    return inputs * (kept.to(inputs.dtype) / (1 - probability))


class Dropout(nn.Dropout):
    """`dropout` while training, and nothing otherwise."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs of any shape, some of them zero."""
        return dropout(inputs, self.p) if self.training and self.p else inputs
