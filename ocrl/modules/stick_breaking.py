"""Stick breaking: masks that sum to one, each a share of what the masks before it left over."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def break_off(log_scope: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Take a share of the scope (MONet, arXiv 1901.11390, equation 2).

        mask = scope sigmoid(logit),   new scope = scope (1 - sigmoid(logit))

    Args:
        log_scope: logarithm of what is not yet explained; 0 at first.
        logits: of the share that is taken, of the same shape.

    Returns:
        Logarithms of the mask and of the scope that is left; together they have the old scope.
    """
    return log_scope + F.logsigmoid(logits), log_scope + F.logsigmoid(-logits)


def stick_breaking(logits: Tensor, dim: int = 1) -> Tensor:
    """Break a stick of length one, the last piece being what is left.

    >>> stick_breaking(torch.zeros(1, 3)).exp()
    tensor([[0.5000, 0.2500, 0.1250, 0.1250]])

    Args:
        logits: of the share that each piece but the last takes of what is left, K - 1 along
            ``dim``.
        dim: of the pieces.

    Returns:
        Logarithms of K masks that sum to one along ``dim``.
    """
    takes, leaves = F.logsigmoid(logits), F.logsigmoid(-logits)
    left = leaves.cumsum(dim)
    start = torch.zeros_like(logits.narrow(dim, 0, 1))
    scopes = torch.cat([start, left], dim)
    return scopes + torch.cat([takes, start], dim)
