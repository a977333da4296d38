"""Propagation of SQAIR: the objects of the last frame, one after the other, and their prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.noise import Noise, gaussian, stack
from ocrl.modules.sqair_objects import FLOOR, GlimpseCoder, Objects, log_density, only_if
from ocrl.modules.sqair_recurrence import GRUCell, RNNCell, elu_mlp


class Prior(NamedTuple):
    """What propagated objects are expected to be: what, where, presence logit, next state."""

    what: Normal
    where: Normal
    presence_logit: Tensor
    state: Tensor


class Propagation(nn.Module):
    """Where the objects of the last frame are now, the later ones knowing of the earlier ones."""

    def __init__(
        self,
        what_dim: int,
        hidden_dim: int,
        temporal_dim: int,
        dims: Sequence[int],
        presence_dims: Sequence[int],
        where_hidden_dim: int,
    ) -> None:
        super().__init__()
        self.to_glimpse_shift = elu_mlp([temporal_dim, where_hidden_dim, 4])
        self.rnn = RNNCell(3 * what_dim + 10 + temporal_dim, hidden_dim)
        self.to_where = elu_mlp([hidden_dim + 4 + temporal_dim, *dims, 8])
        self.deviation_offset = nn.Parameter(torch.tensor(-3.0))
        self.triangle = nn.Parameter(0.1 * torch.randn(10))
        self.gru = GRUCell(hidden_dim + 4 + 2 * what_dim, temporal_dim)
        self.to_temporal_what = nn.Linear(temporal_dim, 2 * what_dim)
        self.to_gates = nn.Linear(temporal_dim, 3 * what_dim)
        self.to_presence = elu_mlp([hidden_dim + temporal_dim + what_dim, *presence_dims, 1])

    def forward(
        self, images: Tensor, before: Objects, coder: GlimpseCoder, noise: Noise, t: int
    ) -> Objects:
        """Return the K objects of the last frame as they are in this one."""
        hidden = self.rnn.initial.expand(len(images), -1)
        last = torch.zeros_like(torch.cat([before.what, before.where, before.presence], -1)[:, 0])
        moved = []
        for k in range(before.what.shape[1]):
            what, where, presence = (part[:, k] for part in before[:3])
            temporal = before.temporal[:, k]
            shifted = where + 0.1 * self.to_glimpse_shift(temporal)
            seen = coder(images, shifted, temporal).mean
            read = torch.cat([seen, last, what, where, presence, temporal], dim=1)
            hidden = self.rnn(read, hidden)
            where, log_q_where = self.move(where, hidden, temporal, noise, f"{k}_{t}")
            seen_now = coder(images, where, temporal)
            read = torch.cat([hidden, where, seen_now.mean, seen_now.stddev], dim=1)
            new_temporal = self.gru(read, temporal)
            posterior = self.remember(what, seen_now, new_temporal)
            what = noise.normal(f"propagation_what_{k}_{t}", posterior)
            logit = self.to_presence(torch.cat([hidden, temporal, what], dim=1))
            logit = only_if(presence, logit)
            now = noise.bernoulli(f"propagation_presence_{k}_{t}", logit.sigmoid()) * presence
            log_q_what = log_density(what, posterior)
            moved.append(Objects(what, where, now, logit, log_q_what, log_q_where, new_temporal))
            last = torch.cat([what, where, now], dim=1)
        return stack(moved)

    def move(
        self, where: Tensor, hidden: Tensor, temporal: Tensor, noise: Noise, name: str
    ) -> tuple[Tensor, Tensor]:
        """Return where an object is now, (N, 4), and the log-density of that, (N, 1).

        The covariance is full: the factor's rows are a learned triangle plus the identity, times
        the deviations.
        """
        change, raw = self.to_where(torch.cat([hidden, where, temporal], dim=1)).chunk(2, dim=1)
        deviation = F.softplus(raw + self.deviation_offset - 1) + FLOOR
        triangle = torch.cat([self.triangle[4:], self.triangle.flip(0)]).view(4, 4).tril()
        factor = deviation.unsqueeze(-1) * (triangle + torch.eye(4, device=where.device))
        draw = noise.standard_normal(f"propagation_where_{name}", change)
        moved = where + change + (factor @ draw.unsqueeze(-1)).squeeze(-1)
        log_volume = factor.diagonal(dim1=1, dim2=2).abs().log().sum(1, keepdim=True)
        standard = torch.zeros_like(draw)
        log_density = gaussian_log_density(draw, standard, 1.0).sum(1, keepdim=True) - log_volume
        return moved, log_density

    def remember(self, what: Tensor, seen: Normal, temporal: Tensor) -> Normal:
        """Return what an object is, by gates on what it was, what is seen, and what is expected."""
        expected = gaussian(self.to_temporal_what(temporal), floor=FLOOR)
        gates = 0.9999 * self.to_gates(temporal).sigmoid()
        keep, skip_seen, skip_expected = gates.chunk(3, dim=1)
        mean = keep * what + (1 - skip_seen) * seen.mean + (1 - skip_expected) * expected.mean
        deviation = (1 - skip_seen) * seen.stddev + (1 - skip_expected) * expected.stddev
        return Normal(mean, deviation, validate_args=False)


class PropagationPrior(nn.Module):
    """What the objects of the last frame are expected to be in this one, each for itself."""

    def __init__(self, what_dim: int, dim: int, presence_bias: float) -> None:
        super().__init__()
        self.presence_bias = presence_bias
        self.what_dim = what_dim
        self.gru = GRUCell(what_dim + 4, dim)
        self.readout = nn.Linear(dim, 2 * (4 + what_dim) + 1)

    def forward(self, before: Objects, state: Tensor) -> Prior:
        """Return the prior of objects (N, K, ...), whose prior was in ``state`` (N, K, P)."""
        state = self.gru(torch.cat([before.what, before.where], dim=-1), state)
        logit, means, raw = self.readout(state).tensor_split([1, 5 + self.what_dim], dim=-1)
        deviations = F.softplus(raw) + FLOOR
        where, what = (
            Normal(means[..., part], deviations[..., part], validate_args=False)
            for part in (slice(0, 4), slice(4, None))
        )
        return Prior(what, where, only_if(before.presence, logit + self.presence_bias), state)
