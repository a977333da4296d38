"""Cells of SQAIR: propagation and discovery of objects, one after the other, and their priors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.noise import Noise, gaussian, stack
from ocrl.modules.spatial_transformer import crop

FLOOR = 0.01
"""Least deviation of every latent variable."""


class Objects(NamedTuple):
    """Objects of one frame, (N, K, ...).

    Attributes:
        what: codes.
        where: logits of boxes, see `boxes_of`.
        presence: (N, K, 1), 1 or 0.
        presence_logit: (N, K, 1).
        log_q_what: (N, K, 1), log-density of the code that was drawn.
        log_q_where: (N, K, 1).
        temporal: state of each object's GRU in time.
    """

    what: Tensor
    where: Tensor
    presence: Tensor
    presence_logit: Tensor
    log_q_what: Tensor
    log_q_where: Tensor
    temporal: Tensor


class Prior(NamedTuple):
    """What propagated objects are expected to be: what, where, presence logit, next state."""

    what: Normal
    where: Normal
    presence_logit: Tensor
    state: Tensor


class GRUCell(nn.Module):
    """A GRU whose reset gate acts before the product, as Sonnet has it (Cho et al. 2014).

    h' = (1 - z) h + z tanh(W x + U (r h) + b)
    """

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.update = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.reset = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.new = nn.ParameterList([torch.empty(in_dim, dim), torch.empty(dim, dim)])
        self.biases = nn.ParameterList(torch.zeros(dim) for _ in range(3))
        self.initial = nn.Parameter(torch.zeros(1, dim))
        for gate in (self.update, self.reset, self.new):
            for weight in gate:
                nn.init.xavier_uniform_(weight)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Map (..., in_dim) and a state (..., dim) to the next state."""
        update = inputs @ self.update[0] + hidden @ self.update[1] + self.biases[0]
        reset = inputs @ self.reset[0] + hidden @ self.reset[1] + self.biases[1]
        kept = reset.sigmoid() * hidden
        new = torch.tanh(inputs @ self.new[0] + kept @ self.new[1] + self.biases[2])
        return torch.lerp(hidden, new, update.sigmoid())


class RNNCell(nn.Module):
    """A plain recurrent network, h' = tanh(W x + U h + b), with a learned first state."""

    def __init__(self, in_dim: int, dim: int) -> None:
        super().__init__()
        self.read = nn.Linear(in_dim, dim)
        self.carry = nn.Linear(dim, dim)
        self.initial = nn.Parameter(torch.zeros(1, dim))

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """Map (N, in_dim) and a state (N, dim) to the next state."""
        return torch.tanh(self.read(inputs) + self.carry(hidden))


class GlimpseCoder(nn.Module):
    """Glimpses, masked by what is known of their object, to Gaussians over what is in them."""

    def __init__(
        self, glimpse: int, dims: Sequence[int], what_dim: int, mask_dim: int, temporal_dim: int
    ) -> None:
        super().__init__()
        self.size = (glimpse, glimpse)
        self.layers = elu_mlp([glimpse**2, *dims], ends_in_elu=True)
        self.to_what = nn.Linear(dims[-1], 2 * what_dim)
        self.to_mask = elu_mlp([temporal_dim, mask_dim, glimpse**2])

    def forward(self, images: Tensor, where: Tensor, temporal: Tensor | None = None) -> Normal:
        """Return what is at ``where`` (N, 4) in images (N, 1, H, W), where it is looked at."""
        glimpse = crop(images, boxes_of(where)[:, None], self.size, corners="centres").flatten(1)
        if temporal is not None:
            glimpse = glimpse * self.to_mask(temporal).sigmoid()
        return gaussian(self.to_what(self.layers(glimpse)), floor=FLOOR)


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
            logit = _only_if(presence, logit)
            now = noise.bernoulli(f"propagation_presence_{k}_{t}", logit.sigmoid()) * presence
            log_q_what = _log_density(what, posterior)
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
        return Prior(what, where, _only_if(before.presence, logit + self.presence_bias), state)


class Discovery(nn.Module):
    """New objects, one after the other, until there is no other."""

    def __init__(
        self,
        num_steps: int,
        what_dim: int,
        image_dim: int,
        hidden_dim: int,
        dims: Sequence[int],
        presence_dims: Sequence[int],
        code_dim: int,
        where_prior_dim: int,
        number_prior_dim: int,
    ) -> None:
        super().__init__()
        self.num_steps = num_steps
        self.rnn = RNNCell(image_dim + code_dim + what_dim + 5, hidden_dim)
        self.to_where = elu_mlp([hidden_dim, *dims, 8])
        self.deviation_offset = nn.Parameter(torch.tensor(-3.0))
        self.to_presence = elu_mlp([hidden_dim + what_dim, *presence_dims, 1])
        self.prior_where = nn.Parameter(torch.zeros(1, 4))
        self.prior_state = nn.Parameter(torch.zeros(1, 4))
        self.prior_condition = nn.Linear(4 + code_dim + 1, where_prior_dim)
        self.prior_read = nn.Linear(4, 4)
        self.prior_carry = nn.Linear(where_prior_dim, 4)
        self.prior_readout = nn.Linear(4, 8)
        self.number_logits = nn.Parameter(torch.zeros(num_steps + 1))
        self.later_logits = nn.Parameter(torch.tensor([10.0] + [0.0] * num_steps))
        self.to_number = elu_mlp([1, number_prior_dim, num_steps + 1])

    def forward(
        self,
        images: Tensor,
        image_code: Tensor,
        code: Tensor,
        coder: GlimpseCoder,
        temporal: Tensor,
        noise: Noise,
        t: int,
    ) -> Objects:
        """Return new objects; ``code`` (N, C) is of those that were propagated."""
        hidden = self.rnn.initial.expand(len(images), -1)
        what = images.new_zeros(len(images), self.rnn.read.in_features - _width(image_code, code))
        last = torch.cat([what[:, 1:], torch.ones_like(what[:, :1])], dim=1)
        found = []
        for k in range(self.num_steps):
            hidden = self.rnn(torch.cat([image_code, code, last], dim=1), hidden)
            mean, raw = self.to_where(hidden).chunk(2, dim=1)
            deviation = F.softplus(raw + self.deviation_offset) + FLOOR
            wheres = Normal(mean, deviation, validate_args=False)
            where = noise.normal(f"discovery_where_{k}_{t}", wheres)
            whats = coder(images, where)
            what = noise.normal(f"discovery_what_{k}_{t}", whats)
            before = last[:, -1:]
            logit = _only_if(before, self.to_presence(torch.cat([hidden, what], dim=1)))
            presence = noise.bernoulli(f"discovery_presence_{k}_{t}", logit.sigmoid()) * before
            logs = _log_density(what, whats), _log_density(where, wheres)
            found.append(Objects(what, where, presence, logit, *logs, temporal))
            last = torch.cat([what, where, presence], dim=1)
        return stack(found)

    def log_prior_where(self, where: Tensor, code: Tensor, expected: Tensor) -> Tensor:
        """Return ln p of where new objects are, (N, K, 1), each given where the last one is."""
        first = (part.expand(len(where), -1) for part in (self.prior_state, code, expected))
        state = F.elu(self.prior_condition(torch.cat(list(first), dim=1)))
        last = torch.cat([self.prior_where.expand(len(where), 1, -1), where[:, :-1]], dim=1)
        output = torch.tanh(self.prior_read(last) + self.prior_carry(state).unsqueeze(1))
        return _log_density(where, gaussian(self.prior_readout(output), floor=FLOOR))

    def log_prior_number(self, number: Tensor, expected: Tensor, t: int) -> Tensor:
        """Return ln p of how many new objects there are, (N,)."""
        logits = self.number_logits + (self.later_logits if t > 0 else 0)
        log_p = F.elu(logits + self.to_number(expected)).log_softmax(dim=1)
        return log_p.gather(1, number.long()).squeeze(1)


def log_posterior_number(found: Objects) -> Tensor:
    """Return ln q of how many objects are found one after the other, (N,)."""
    probability = found.presence_logit.squeeze(-1).double().sigmoid()
    reached = probability.cumprod(dim=1)
    stopped = torch.cat([1 - probability[:, :1], (1 - probability[:, 1:]) * reached[:, :-1]], dim=1)
    numbers = torch.cat([stopped, reached[:, -1:]], dim=1)
    numbers = (numbers / numbers.sum(1, keepdim=True)).float()
    number = found.presence.sum(1).long()
    return numbers.gather(1, number).squeeze(1).clamp_min(1e-16).log()


def boxes_of(where: Tensor) -> Tensor:
    """Return boxes (..., 4), see `ocrl.modules.spatial_transformer`, of logits (..., 4)."""
    size, centre = where.chunk(2, dim=-1)
    return torch.cat([size.sigmoid().clamp_min(1e-4), centre.tanh()], dim=-1)


def elu_mlp(dims: Sequence[int], *, ends_in_elu: bool = False) -> nn.Sequential:
    """Return linear layers with ELU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(dims):
        layers += [nn.Linear(before, after), nn.ELU()]
    return nn.Sequential(*(layers if ends_in_elu else layers[:-1]))


def _only_if(presence: Tensor, logit: Tensor) -> Tensor:
    """Return logits where objects were there before, and -88 where they were not."""
    return presence * logit + (presence - 1) * 88


def _log_density(sample: Tensor, normal: Normal) -> Tensor:
    return gaussian_log_density(sample, normal.mean, normal.stddev).sum(-1, keepdim=True)


def _width(*tensors: Tensor) -> int:
    return sum(tensor.shape[-1] for tensor in tensors)
