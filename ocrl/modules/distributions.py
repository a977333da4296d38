"""Random variables of latent-variable models: samples whose noise can be given, and divergences."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.errors import UsageError


def check_temperature(temperature: float) -> float:
    """Return a temperature of a relaxed distribution; raise UsageError unless it is above zero."""
    if not 0 < temperature < math.inf:
        raise UsageError(
            f"a temperature is {temperature}: relaxed samples need a finite one above 0, by custom "
            "between 0.1 and 1"
        )
    return temperature


def gumbel_noise(like: Tensor) -> Tensor:
    """Draw standard Gumbel noise of a tensor's shape, float32 at least: -log(-log u), u uniform.

    >>> _ = torch.manual_seed(0)
    >>> round(gumbel_noise(torch.zeros(100_000)).mean().item(), 2)       # Euler's constant
    0.58
    """
    fine = torch.promote_types(like.dtype, torch.float32)
    uniform = torch.rand_like(like, dtype=fine).clamp_min_(torch.finfo(fine).tiny)
    return uniform.log_().neg_().log_().neg_()


def gumbel_softmax(
    logits: Tensor, temperature: float | Tensor, noise: Tensor | None = None, dim: int = -1
) -> Tensor:
    """Sample a relaxed categorical (Jang et al. 2017, equation 2; Maddison et al. 2017).

        y = softmax((logits + g) / temperature),   g ~ Gumbel

    Args:
        logits: unnormalised log-probabilities.
        temperature: above 0; towards 0 samples become one-hot.
        noise: g, of the shape of ``logits``. None: fresh.
        dim: of the categories.

    Returns:
        Probabilities of the shape of ``logits``, with gradient to them.
    """
    noise = gumbel_noise(logits) if noise is None else noise
    return torch.softmax((logits + noise) / temperature, dim=dim)


def draw_categories(logits: Tensor, dim: int = -1) -> Tensor:
    """Sample categories: the first whose probability and those before it exceed a uniform number.

    Args:
        logits: unnormalised log-probabilities.
        dim: of the categories.

    Returns:
        Integers, ``logits`` without ``dim``.
    """
    cumulative = logits.detach().softmax(dim).movedim(dim, -1).cumsum(-1)
    chosen = torch.rand_like(cumulative[..., :1]) * cumulative[..., -1:]
    return torch.searchsorted(cumulative, chosen).squeeze(-1)


def gaussian_noise(like: Tensor) -> Tensor:
    """Draw standard normal noise of a tensor's shape."""
    return torch.randn_like(like)


def gaussian_sample(mean: Tensor, std: Tensor, noise: Tensor | None = None) -> Tensor:
    """Return mean + std * noise, with gradient to both; None is fresh noise."""
    return mean + std * (gaussian_noise(mean) if noise is None else noise)


def gaussian_divergence(
    mean: Tensor,
    std: Tensor,
    prior_mean: float | Tensor = 0.0,
    prior_std: float | Tensor = 1.0,
) -> Tensor:
    """Return KL(N(mean, std^2) || N(prior_mean, prior_std^2)) of each number, in nats.

        KL = log(s_p / s) + (s^2 + (m - m_p)^2) / (2 s_p^2) - 1/2

    >>> gaussian_divergence(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0]))
    tensor([0.5000, 0.0000])

    Args:
        mean: any shape.
        std: of the same shape, above 0.
        prior_mean: broadcast against them.
        prior_std: broadcast against them, above 0.
    """
    ratio = (std / prior_std).square()
    distance = ((mean - prior_mean) / prior_std).square()
    return (ratio + distance - 1 - ratio.log()) / 2


def categorical_divergence(
    probabilities: Tensor, prior: Tensor, dim: int = -1, floor: float = 0.0
) -> Tensor:
    """Return KL(Cat(p) || Cat(q)) in nats, each normalised over ``dim`` first.

    >>> categorical_divergence(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
    tensor(0.1438)

    Args:
        probabilities: p, non-negative, need not sum to one.
        prior: q, of the same shape.
        dim: of the categories.
        floor: what both are raised to before they are normalised, so that no logarithm is of zero.

    Returns:
        ``probabilities`` without ``dim``.
    """
    p, q = (x.clamp_min(floor) for x in (probabilities, prior))
    p, q = (x / x.sum(dim, keepdim=True) for x in (p, q))
    divergence: Tensor = torch.xlogy(p, p) - torch.xlogy(p, q)
    return divergence.sum(dim)


def gaussian_log_density(x: Tensor, mean: Tensor, std: float | Tensor) -> Tensor:
    """Return log N(x; mean, std^2) of each number."""
    std = torch.as_tensor(std).to(mean)
    return -((x - mean) / std).square() / 2 - std.log() - math.log(2 * math.pi) / 2


def logistic_log_density(x: Tensor, mean: Tensor, scale: float) -> Tensor:
    """Return the log-density of each number under a logistic distribution.

        log p = -u - 2 softplus(-u) - log s,   u = (x - mean) / s

    Args:
        x: any shape.
        mean: broadcast against it.
        scale: s, above 0; the standard deviation is s pi / sqrt(3).
    """
    u = (x - mean) / scale
    return -u - 2 * F.softplus(-u) - math.log(scale)
