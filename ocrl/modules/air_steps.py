"""What AIR finds step by step, and how likely that is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from ocrl.modules.distributions import gaussian_log_density


class Steps(NamedTuple):
    """What N steps found, each tensor (B, N, ...) with the axis of steps second.

    Attributes:
        probability: (B, N, 1), of presence, 0 after the first step that found nothing.
        presence: (B, N, 1), 1 or 0.
        where: (B, N, 3): scale and shift (s, x, y), whose box is (1/s, 1/s, -x/s, -y/s).
        what: (B, N, D).
        where_posterior: what ``where`` was drawn from.
        what_posterior: what ``what`` was drawn from.
        baseline: (B, N), a prediction of the cost from each step on.
    """

    probability: Tensor
    presence: Tensor
    where: Tensor
    what: Tensor
    where_posterior: Normal
    what_posterior: Normal
    baseline: Tensor

    @property
    def boxes(self) -> Tensor:
        """Return (width, height, x, y), (B, N, 4), see `ocrl.modules.spatial_transformer`."""
        return boxes_of(self.where)


def boxes_of(where: Tensor) -> Tensor:
    """Return boxes (..., 4) of the inverse map's scale and shift (s, x, y), (..., 3)."""
    scale, shift = where.tensor_split([1], dim=-1)
    return torch.cat([1 / scale, 1 / scale, -shift / scale], dim=-1)


def log_ratio(sample: Tensor, posterior: Normal, prior: Normal) -> Tensor:
    """Return ln q - ln p of samples (B, N, D), (B, N, 1)."""
    log_q, log_p = (
        gaussian_log_density(sample, normal.mean, normal.stddev) for normal in (posterior, prior)
    )
    return (log_q - log_p).sum(dim=2, keepdim=True)


def log_presence(presence: Tensor, probability: Tensor) -> Tensor:
    """Return the log-probability of each step's presence.

    A step after one that found nothing is not taken, and certain.

    >>> presence = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1)
    >>> log_presence(presence, torch.full((1, 3, 1), 0.8)).exp().flatten()
    tensor([0.8000, 0.2000, 1.0000])

    Args:
        presence: (B, N, 1), 1 or 0.
        probability: (B, N, 1) or what broadcasts to it, of a 1.
    """
    before = torch.cat([torch.ones_like(presence[:, :1]), presence[:, :-1]], dim=1)
    likelihood = torch.where(presence > 0, probability, 1 - probability)
    return torch.where(before > 0, likelihood, 1.0).log()
