"""Priors over how many objects there are, told of one cell or step after the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.modules.ranges import check_probabilities
from ocrl.modules.score_function import downstream


def count_prior(presence: Tensor, log_odds: float) -> Tensor:
    """Return each cell's prior probability of an object, given the cells before it (SPAIR).

        P(C = c) proportional to s^c, c = 0 .. N,   s = sigmoid(log_odds)
        P(object in cell i | C, cells before) = (C - seen) / (N - i)

    and the belief about C is updated with what each cell turned out to have (Crawford and Pineau
    2019, appendix). With log odds of 0 and below few objects are expected, with high ones any
    number is as likely as another.

    >>> count_prior(torch.tensor([[1.0, 0.0]]), log_odds=0.0)
    tensor([[0.2857, 0.5000]])

    Args:
        presence: (B, N), rounded to 0 or 1; no gradient flows into it.
        log_odds: of s.

    Returns:
        (B, N).
    """
    batch_size, num_cells = presence.shape
    counts = torch.arange(num_cells + 1, dtype=presence.dtype, device=presence.device)
    log_s = F.logsigmoid(torch.tensor(log_odds, dtype=presence.dtype))
    belief = (counts * log_s).softmax(0).expand(batch_size, -1)
    seen = presence.new_zeros(batch_size, 1)
    priors = []
    for i, present in enumerate(presence.detach().round().unsqueeze(2).unbind(1)):
        given_count = ((counts - seen) / (num_cells - i)).clamp(0, 1)
        priors.append((belief * given_count).sum(1))
        belief = belief * torch.where(present > 0, given_count, 1 - given_count)
        belief = belief / belief.sum(1, keepdim=True).clamp_min(1e-6)
        seen = seen + present
    return torch.stack(priors, dim=1)


def presence_prior(num_steps: int, count_ratio: float) -> Tensor:
    """Return the probability (N, 1) that each step finds something, given that the last did (AIR).

    The number of objects n, 0 to N, has a probability proportional to count_ratio^n.

    >>> presence_prior(2, 0.5).flatten()
    tensor([0.4286, 0.3333])
    """
    check_probabilities("count_ratio", count_ratio)
    at_least = downstream(count_ratio ** torch.arange(num_steps + 1, dtype=torch.float64))
    return (at_least[1:] / at_least[:-1]).float()
