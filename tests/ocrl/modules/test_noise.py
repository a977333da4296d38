"""Samplers against the distributions that they sample."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli

from ocrl import UsageError
from ocrl.modules.noise import GivenNoise, Noise, NoNoise, bernoulli_divergence, gaussian


def test_relaxed_presences_are_those_of_the_concrete_distribution():
    torch.manual_seed(0)
    logit, temperature = torch.tensor(0.7, dtype=torch.float64), 0.8
    samples = Noise().relaxed_bernoulli("presence", logit.expand(200_000), temperature)
    points = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    density = LogitRelaxedBernoulli(torch.tensor(temperature), logits=logit).log_prob(points).exp()
    mean = torch.trapezoid(density * points.sigmoid(), points) / torch.trapezoid(density, points)
    assert samples.mean().item() == pytest.approx(mean.item(), abs=3e-3)
    # Rounded, they are Bernoulli whatever the temperature is.
    assert (samples > 0.5).double().mean().item() == pytest.approx(logit.sigmoid().item(), abs=3e-3)


def test_gradients_flow_through_relaxed_presences():
    u = torch.tensor([0.3, 0.6], dtype=torch.float64)
    logit = torch.tensor([0.4, -1.0], dtype=torch.float64, requires_grad=True)
    noise = GivenNoise({"presence": u})
    assert torch.autograd.gradcheck(lambda x: noise.relaxed_bernoulli("presence", x, 0.5), logit)


def test_a_temperature_is_above_zero():
    with pytest.raises(UsageError, match="temperature is above 0") as caught:
        Noise().relaxed_bernoulli("presence", torch.zeros(1), 0.0)
    assert "\n" not in str(caught.value)


def test_hard_presences_have_their_probability():
    torch.manual_seed(0)
    samples = Noise().bernoulli("presence", torch.full((100_000,), 0.3))
    assert set(samples.unique().tolist()) == {0.0, 1.0}
    assert samples.mean().item() == pytest.approx(0.3, abs=5e-3)


def test_given_noise_is_used_and_no_noise_is_the_mean():
    normal = Normal(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 2.0]))
    given = GivenNoise({"what": torch.tensor([[2.0], [-1.0]])})
    assert given.normal("what", normal).tolist() == [2.0, 0.0]
    assert NoNoise().normal("what", normal).tolist() == [1.0, 2.0]
    probabilities = torch.tensor([0.4, 0.6])
    assert NoNoise().bernoulli("presence", probabilities).tolist() == [0.0, 1.0]


def test_divergence_of_presences():
    q, p = torch.tensor([0.2, 0.99, 0.5]), torch.tensor([0.7, 0.01, 0.5])
    expected = kl_divergence(Bernoulli(q), Bernoulli(p))
    torch.testing.assert_close(bernoulli_divergence(q, p), expected)
    assert bernoulli_divergence(torch.tensor([0.0, 1.0]), 0.5).isfinite().all()


def test_gaussians_have_positive_deviations_above_their_floor():
    parameters = torch.tensor([[1.0, -2.0, -50.0, 0.0]])
    normal = gaussian(parameters, floor=1e-4)
    assert normal.mean.tolist() == [[1.0, -2.0]]
    torch.testing.assert_close(normal.stddev, torch.tensor([[1e-4, 0.6932472]]))
