"""Samples against their probabilities, divergences against torch's own and against sums."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, TransformedDistribution
from torch.distributions import kl_divergence as torch_divergence
from torch.distributions.transforms import AffineTransform, SigmoidTransform

from ocrl import UsageError
from ocrl.modules import distributions as d


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "draw",
    [d.draw_categories, lambda logits, dim: (logits + d.gumbel_noise(logits)).argmax(dim)],
)
def test_categories_are_drawn_as_often_as_they_are_likely(draw):
    torch.manual_seed(0)
    probabilities = torch.tensor([0.1, 0.0, 0.2, 0.7])
    samples = draw(probabilities.log().unsqueeze(1).expand(5, 4, 12_000) + 3, 1)
    assert samples.shape == (5, 12_000)
    shares = torch.bincount(samples.flatten(), minlength=4) / samples.numel()
    torch.testing.assert_close(shares, probabilities, atol=0.01, rtol=0)


def test_gumbel_noise_has_the_quantiles_of_its_distribution():
    torch.manual_seed(0)
    noise = d.gumbel_noise(torch.empty(500_000))
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        quantile = -math.log(-math.log(share))
        assert noise.quantile(share).item() == pytest.approx(quantile, abs=0.15)
    assert noise.isfinite().all()


def test_relaxed_samples_are_a_softmax_of_logits_and_the_noise_that_is_given():
    logits, noise = numbers(4, 5), numbers(4, 5, seed=1)
    soft = d.gumbel_softmax(logits, 0.5, noise)
    by_hand = torch.exp(2 * (logits + noise))
    torch.testing.assert_close(soft, by_hand / by_hand.sum(-1, keepdim=True))
    sharp = d.gumbel_softmax(logits, 1e-3, noise)
    assert torch.equal(sharp.argmax(-1), (logits + noise).argmax(-1))
    torch.testing.assert_close(sharp.amax(-1), torch.ones(4, dtype=torch.float64))


def test_noise_is_fresh_unless_it_is_given():
    logits = numbers(50, 5)
    assert not torch.equal(d.gumbel_softmax(logits, 1.0), d.gumbel_softmax(logits, 1.0))


def test_gaussian_divergence():
    mean, std = numbers(3, 4), numbers(3, 4, seed=1).exp()
    prior_mean, prior_std = numbers(4, seed=2), numbers(4, seed=3).exp()
    expected = torch_divergence(Normal(mean, std), Normal(prior_mean, prior_std))
    torch.testing.assert_close(d.gaussian_divergence(mean, std, prior_mean, prior_std), expected)
    unit = torch_divergence(Normal(mean, std), Normal(0.0, 1.0))
    torch.testing.assert_close(d.gaussian_divergence(mean, std), unit)


def test_categorical_divergence():
    p, q = numbers(3, 5).exp(), numbers(3, 5, seed=1).exp()
    expected = torch_divergence(Categorical(p), Categorical(q))
    torch.testing.assert_close(d.categorical_divergence(p, q), expected)
    torch.testing.assert_close(d.categorical_divergence(p.T, q.T, dim=0), expected)


def test_the_floor_keeps_categorical_divergence_finite():
    p, q = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    assert d.categorical_divergence(p, q) == math.inf
    value = d.categorical_divergence(p, q, floor=1e-5)
    assert value.item() == pytest.approx(math.log(1e5), rel=1e-3)


def test_densities():
    x, mean = numbers(6), numbers(6, seed=1)
    gaussian = Normal(mean, 0.3).log_prob(x)
    torch.testing.assert_close(d.gaussian_log_density(x, mean, 0.3), gaussian)
    uniform = torch.distributions.Uniform(torch.zeros(6).double(), torch.ones(6).double())
    logistic = TransformedDistribution(
        uniform, [SigmoidTransform().inv, AffineTransform(mean, 0.3)]
    ).log_prob(x)
    torch.testing.assert_close(d.logistic_log_density(x, mean, 0.3), logistic)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_out_of_range_is_refused_in_one_line(temperature):
    with pytest.raises(UsageError, match="temperature") as caught:
        d.check_temperature(temperature)
    assert "\n" not in str(caught.value)
