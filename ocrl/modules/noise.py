"""Random numbers by name: drawn, given, or none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal

from ocrl.errors import UsageError

T = TypeVar("T", bound=tuple[Any, ...])


class Noise:
    """What the latent variables of a model are sampled with: fresh random numbers.

    Every draw has a name, by which `GivenNoise` finds what it is to return.

    >>> noise = NoNoise()
    >>> noise.normal("what", Normal(torch.tensor([1.0]), torch.tensor([3.0])))
    tensor([1.])
    >>> noise.relaxed_bernoulli("presence", torch.tensor([0.0]), temperature=0.5)
    tensor([0.5000])
    """

    def standard_normal(self, name: str, like: Tensor) -> Tensor:
        """Return draws from N(0, 1), of the shape, type and device of ``like``."""
        return torch.randn_like(like)

    def uniform(self, name: str, like: Tensor) -> Tensor:
        """Return draws from (0, 1), of the shape, type and device of ``like``."""
        tiny = torch.finfo(like.dtype).eps
        return torch.rand_like(like).clamp(tiny, 1 - tiny)

    def normal(self, name: str, distribution: Normal) -> Tensor:
        """Return mean + deviation * noise, through which gradients flow."""
        noise = self.standard_normal(name, distribution.mean)
        return distribution.mean + distribution.stddev * noise

    def relaxed_bernoulli(self, name: str, logit: Tensor, temperature: float) -> Tensor:
        """Return soft presences in (0, 1) (Maddison et al. 2017, arXiv 1611.00712, eq. 10).

            z = sigmoid((logit + ln u - ln(1 - u)) / temperature)

        Raises:
            UsageError: the temperature is not positive.
        """
        if not temperature > 0:
            raise UsageError(f"a temperature is above 0, got {temperature}: choose 0.5 or so")
        u = self.uniform(name, logit)
        return torch.sigmoid((logit + u.log() - torch.log1p(-u)) / temperature)

    def bernoulli(self, name: str, probability: Tensor) -> Tensor:
        """Return hard presences, 1.0 where u < probability; no gradient flows."""
        return (self.uniform(name, probability) < probability).to(probability.dtype)


class NoNoise(Noise):
    """Takes every latent variable at its mean, and a presence at what is more probable."""

    def standard_normal(self, name: str, like: Tensor) -> Tensor:
        """Return zeros."""
        return torch.zeros_like(like)

    def uniform(self, name: str, like: Tensor) -> Tensor:
        """Return halves."""
        return torch.full_like(like, 0.5)


class GivenNoise(Noise):
    """Returns what was recorded, such as the draws of another implementation.

    Args:
        tensors: by name; what is asked for is reshaped to what is needed.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors

    def standard_normal(self, name: str, like: Tensor) -> Tensor:
        """Return the recorded tensor of that name."""
        return self.tensors[name].view_as(like)

    uniform = standard_normal


def gaussian(parameters: Tensor, dim: int = -1, floor: float = 0.0) -> Normal:
    """Return the Gaussian whose mean, and deviation before a softplus, a layer has put out.

    Args:
        parameters: mean and raw deviation one after the other along ``dim``.
        dim: the axis that they share.
        floor: least deviation.
    """
    mean, raw = parameters.chunk(2, dim)
    return Normal(mean, F.softplus(raw) + floor, validate_args=False)


def stack(variables: Sequence[T]) -> T:
    """Stack named tuples of tensors (B, ...) and Gaussians, one of each step, as (B, T, ...)."""
    columns = zip(*variables, strict=True)
    return type(variables[0])(*(_stack_column(column) for column in columns))


def _stack_column(column: Sequence[Any]) -> Any:
    if isinstance(column[0], Tensor):
        return torch.stack(list(column), dim=1)
    means, deviations = (_stack_column([getattr(x, y) for x in column]) for y in ("loc", "scale"))
    return Normal(means, deviations, validate_args=False)


def bernoulli_divergence(q: Tensor, p: Tensor | float, epsilon: float = 1e-15) -> Tensor:
    """Return KL(Bernoulli(q) || Bernoulli(p)) in nats, with ``epsilon`` inside each logarithm.

        KL = q ln(q / p) + (1 - q) ln((1 - q) / (1 - p))

    >>> bernoulli_divergence(torch.tensor([0.5, 0.9]), 0.5)
    tensor([0.0000, 0.3681])

    Args:
        q: probabilities (...).
        p: probability, or probabilities that broadcast to (...).
        epsilon: keeps the logarithms finite at probabilities of 0 and 1.
    """
    p = torch.as_tensor(p, dtype=q.dtype, device=q.device)
    present = q * ((q + epsilon).log() - (p + epsilon).log())
    absent = (1 - q) * ((1 - q + epsilon).log() - (1 - p + epsilon).log())
    return present + absent
