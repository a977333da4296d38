"""Discovery of SQAIR: new objects, one after the other, and their priors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.noise import Noise, gaussian, stack
from ocrl.modules.sqair_objects import FLOOR, GlimpseCoder, Objects, log_density, only_if
from ocrl.modules.sqair_recurrence import RNNCell, elu_mlp


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
            logit = only_if(before, self.to_presence(torch.cat([hidden, what], dim=1)))
            presence = noise.bernoulli(f"discovery_presence_{k}_{t}", logit.sigmoid()) * before
            logs = log_density(what, whats), log_density(where, wheres)
            found.append(Objects(what, where, presence, logit, *logs, temporal))
            last = torch.cat([what, where, presence], dim=1)
        return stack(found)

    def log_prior_where(self, where: Tensor, code: Tensor, expected: Tensor) -> Tensor:
        """Return ln p of where new objects are, (N, K, 1), each given where the last one is."""
        first = (part.expand(len(where), -1) for part in (self.prior_state, code, expected))
        state = F.elu(self.prior_condition(torch.cat(list(first), dim=1)))
        last = torch.cat([self.prior_where.expand(len(where), 1, -1), where[:, :-1]], dim=1)
        output = torch.tanh(self.prior_read(last) + self.prior_carry(state).unsqueeze(1))
        return log_density(where, gaussian(self.prior_readout(output), floor=FLOOR))

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


def _width(*tensors: Tensor) -> int:
    return sum(tensor.shape[-1] for tensor in tensors)
