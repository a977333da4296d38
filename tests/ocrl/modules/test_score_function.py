"""Estimators against gradients of expectations that are summed over all outcomes."""

from __future__ import annotations

import itertools

import pytest
import torch

from ocrl import UsageError
from ocrl.modules.score_function import (
    downstream,
    importance_weighted_bound,
    score_function,
    vimco_signal,
)

LOGITS = torch.tensor([0.3, -0.7], dtype=torch.float64)
OUTCOMES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=2)), dtype=torch.float64)


def log_probability(outcomes: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return -torch.nn.functional.binary_cross_entropy_with_logits(
        logits.expand_as(outcomes), outcomes, reduction="none"
    )


def cost(outcomes: torch.Tensor, step: int) -> torch.Tensor:
    """Cost at a step, which depends on what was drawn up to it."""
    return (outcomes[..., : step + 1] * torch.tensor([2.0, -3.0])[: step + 1]).sum(-1) ** 2 + step


def exact(value) -> torch.Tensor:
    """Return the gradient of the expectation of what depends on outcomes and logits."""
    logits = LOGITS.clone().requires_grad_()
    probabilities = log_probability(OUTCOMES, logits).sum(-1).exp()
    return torch.autograd.grad((probabilities * value(OUTCOMES)).sum(), logits)[0]


@pytest.mark.parametrize("baseline", [0.0, 7.0])
def test_signals_from_each_step_on_are_unbiased_whatever_the_baseline_is(baseline):
    logits = LOGITS.clone().requires_grad_()
    log_q = log_probability(OUTCOMES, logits)
    costs = torch.stack([cost(OUTCOMES, 0), cost(OUTCOMES, 1)], dim=-1)
    estimates = score_function(log_q, downstream(costs) - baseline).sum(-1)
    expected = (log_q.sum(-1).exp().detach() * estimates).sum()
    actual = torch.autograd.grad(expected, logits)[0]
    torch.testing.assert_close(actual, exact(lambda z: cost(z, 0) + cost(z, 1)))
    assert estimates.eq(0).all()


def test_vimco_is_unbiased():
    """The gradient of E[ln 1/K sum w] over all pairs of samples, ln w depending on z alone."""

    def log_weight(z: torch.Tensor) -> torch.Tensor:
        return z @ torch.tensor([1.0, -2.0], dtype=torch.float64) + 0.5

    pairs = torch.tensor(list(itertools.product(range(4), repeat=2)))
    samples = OUTCOMES[pairs]
    logits = LOGITS.clone().requires_grad_()
    log_q = log_probability(samples, logits).sum(-1)
    probability = log_q.sum(-1).exp()
    bound = importance_weighted_bound(log_weight(samples))
    true = torch.autograd.grad((probability * bound).sum(), logits, retain_graph=True)[0]
    estimate = score_function(log_q, vimco_signal(log_weight(samples))).sum(-1)
    actual = torch.autograd.grad((probability.detach() * estimate).sum(), logits)[0]
    torch.testing.assert_close(actual, true)


def test_vimco_replaces_each_weight_by_the_geometric_mean_of_the_others():
    weights = torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)
    signal = vimco_signal(weights.log())
    expected = (weights.sum() / (4.0 + 2.0 + 8.0**0.5)).log()
    torch.testing.assert_close(signal[0], expected)


def test_a_single_sample_is_refused():
    with pytest.raises(UsageError, match="num_particles=2"):
        vimco_signal(torch.zeros(3, 1))
