"""A number that changes as training goes on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError


class CosineAnnealing(nn.Module):
    """Falls from one value to another along half a cosine; counts the steps of training itself.

    The count is kept with the weights, so that a resumed run goes on where it stopped.

    >>> temperature = CosineAnnealing(1.0, 0.1, num_steps=2)
    >>> [round(temperature(advance=True).item(), 2) for _ in range(4)]
    [1.0, 0.55, 0.1, 0.1]

    Args:
        start: value at step 0.
        end: value from step ``num_steps`` on.
        num_steps: at least 1.
    """

    step: Tensor

    def __init__(self, start: float, end: float, num_steps: int) -> None:
        super().__init__()
        if num_steps < 1:
            raise UsageError(f"annealing over {num_steps} steps: it takes one at least")
        self.start = start
        self.end = end
        self.num_steps = num_steps
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, *, advance: bool = False) -> Tensor:
        """Return the value at this step, a scalar.

        Args:
            advance: count the step as done.
        """
        progress = (self.step / self.num_steps).clamp(max=1.0)
        if advance:
            self.step += 1
        half_cosine = (1 + torch.cos(math.pi * progress)) / 2
        return self.end + (self.start - self.end) * half_cosine
