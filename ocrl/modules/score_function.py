"""Score-function estimators: gradients of expectations over discrete random variables.

    grad E_q[f] = E_q[f grad ln q + grad f]

A signal, f less what has the same mean without being correlated, takes the place of f.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ocrl.errors import UsageError


def score_function(log_q: Tensor, signal: Tensor) -> Tensor:
    """Return zeros whose gradient is signal * grad ln q (Williams 1992, REINFORCE).

    >>> logit = torch.tensor(0.0, requires_grad=True)
    >>> term = score_function(torch.nn.functional.logsigmoid(logit), torch.tensor(4.0))
    >>> term.item(), torch.autograd.grad(term, logit)[0].item()
    (0.0, 2.0)

    Args:
        log_q: log-probability of what was drawn.
        signal: what is to be lowered, of the same shape; no gradient flows into it.
    """
    return signal.detach() * (log_q - log_q.detach())


def downstream(terms: Tensor) -> Tensor:
    """Return for each step the sum of the terms from it on, (..., T) to the same shape.

    What came before does not depend on what is drawn now, and would only be noise in its signal.

    >>> downstream(torch.tensor([1.0, 2.0, 4.0]))
    tensor([7., 6., 4.])
    """
    return terms.flip(-1).cumsum(-1).flip(-1)


def vimco_signal(log_weights: Tensor) -> Tensor:
    """Return what each of K samples adds to their joint bound (Mnih and Rezende 2016, VIMCO).

        signal_j = ln 1/K sum_i w_i - ln 1/K (sum_{i != j} w_i + v_j)
        v_j = prod_{i != j} w_i ^ (1 / (K - 1))

    the bound less what it would be with sample j at the others' geometric mean (arXiv 1602.06725,
    equation 10).

    >>> vimco_signal(torch.tensor([[2.0, 2.0, 2.0]]))
    tensor([[0., 0., 0.]])

    Args:
        log_weights: ln w, (..., K), K at least 2.

    Raises:
        UsageError: for a single sample.
    """
    num_samples = log_weights.shape[-1]
    if num_samples < 2:
        raise UsageError("VIMCO compares samples with each other: give it num_particles=2 or more")
    others = (log_weights.sum(-1, keepdim=True) - log_weights) / (num_samples - 1)
    replaced = log_weights.unsqueeze(-2).expand(*log_weights.shape, num_samples)
    diagonal = torch.eye(num_samples, dtype=torch.bool, device=log_weights.device)
    replaced = torch.where(diagonal, others.unsqueeze(-1), replaced)
    return importance_weighted_bound(log_weights).unsqueeze(-1) - importance_weighted_bound(
        replaced
    )


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """Return ln 1/K sum_k w_k of log weights (..., K) (IWAE, arXiv 1509.00519, equation 8)."""
    return torch.logsumexp(log_weights, dim=-1) - math.log(log_weights.shape[-1])


def learning_signal(log_weights: Tensor) -> Tensor:
    """Return what SQAIR's particles (B, P) are told by, as in its authors' code.

    What VIMCO's signal compares with the bound that each particle's replacement would give is not
    the bound of all (`vimco_signal`), but the particle's own weight.
    """
    bound = importance_weighted_bound(log_weights).unsqueeze(-1)
    return vimco_signal(log_weights) + log_weights - bound
