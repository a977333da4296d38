"""What one frame of SQAIR holds, and how likely that is."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.sqair_discovery import Discovery
from ocrl.modules.sqair_objects import Objects, log_density, pick
from ocrl.modules.sqair_propagation import Prior


class Frame(NamedTuple):
    """What one frame holds.

    Attributes:
        propagated: objects of the last frame, as they are now.
        discovered: new ones.
        objects: of both those that are present, first the propagated ones, at most K.
        slots: (N, K), the number by which each object is known as long as it is there.
        prior: what was expected of the propagated ones.
        prior_state: what the next frame's prior starts from, (N, K, P).
        expected: (N, 1), how many objects were expected to stay, about.
        code: (N, C), of the propagated ones.
    """

    propagated: Objects
    discovered: Objects
    objects: Objects
    slots: Tensor
    prior: Prior
    prior_state: Tensor
    expected: Tensor
    code: Tensor

    def in_slots(self) -> Objects:
        """Return the objects in the order of their slots."""
        order = self.slots.argsort(dim=1)
        return Objects(*(pick(part, order) for part in self.objects))

    def log_ratio(self, before: Objects, discovery: Discovery) -> Tensor:
        """Return ln p(z) - ln q(z | x) of all but how many objects are new, (N,).

        Args:
            before: objects of the last frame.
            discovery: which knows where new ones are expected.
        """
        moved, found, prior = self.propagated, self.discovered, self.prior
        stayed = before.presence * moved.presence
        log_p = log_density(moved.what, prior.what) + log_density(moved.where, prior.where)
        log_ratio = ((log_p - moved.log_q_what - moved.log_q_where) * stayed).sum((1, 2))
        log_p = _bernoulli_log(moved.presence, prior.presence_logit)
        log_ratio = log_ratio + (log_p * before.presence).sum((1, 2)) - self.log_q_moved(before)
        standard = gaussian_log_density(found.what, torch.zeros_like(found.what), 1.0)
        where = discovery.log_prior_where(found.where, self.code, self.expected)
        log_p = standard.sum(-1, keepdim=True) + where
        return log_ratio + ((log_p - found.log_q_what - found.log_q_where) * found.presence).sum(
            (1, 2)
        )

    def log_q_moved(self, before: Objects) -> Tensor:
        """Return ln q of which objects of the last frame stay, (N,)."""
        moved = self.propagated
        log_q = _bernoulli_log(moved.presence, moved.presence_logit)
        return (log_q * before.presence).sum((1, 2))


def _bernoulli_log(presence: Tensor, logit: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(logit, presence, reduction="none")
