"""The prior over counts against its closed form and the recorded formulas of auto_yolo."""

from __future__ import annotations

import itertools
import math

import goldens
import torch

from ocrl.modules.count_prior import count_prior
from ocrl.modules.noise import bernoulli_divergence


def test_cells_together_have_the_probability_of_their_count():
    """P(cells) = P(C) / (N choose C): all arrangements of as many objects are equally likely."""
    num_cells, log_odds = 5, 0.4
    s = 1 / (1 + math.exp(-log_odds))
    weights = [s**c for c in range(num_cells + 1)]
    arrangements = torch.tensor(list(itertools.product([0.0, 1.0], repeat=num_cells))).double()
    prior = count_prior(arrangements, log_odds)
    actual = torch.where(arrangements > 0, prior, 1 - prior).prod(1)
    for arrangement, probability in zip(arrangements, actual, strict=True):
        count = int(arrangement.sum())
        expected = weights[count] / sum(weights) / math.comb(num_cells, count)
        assert math.isclose(probability, expected, rel_tol=1e-9)


def test_the_prior_is_that_of_auto_yolo():
    recorded = goldens.load("spair_mini")["auto_yolo_formulas"]["count_prior"]
    presence, probability = recorded["presence"].squeeze(2), recorded["probability"].squeeze(2)
    prior = count_prior(presence, recorded["log_odds"].item())
    torch.testing.assert_close(prior, recorded["prior"].squeeze(2))
    kl = bernoulli_divergence(probability, prior, 1e-9)
    torch.testing.assert_close(kl, recorded["kl"].squeeze(2))
