"""What one frame of SCALOR holds, and how far that is from what was expected."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from ocrl.modules.noise import bernoulli_divergence
from ocrl.modules.scalor_objects import Found, Tracks


class Frame(NamedTuple):
    """What one frame of videos holds.

    Attributes:
        propagated: objects followed, in their slots; nothing where ``kept`` is 0.
        discovered: what the cells found; nothing where something followed is there already.
        proposed: (B, N, 1), presence of the cells before that rejection.
        explained: (B, N, 1), 1 where what a cell found was there already.
        kept: (B, K, 1), 1 where a slot had an object.
        layers: (B, K + N, 5, H, W): colour times alpha, alpha, importance, each in its place.
        tracks: what the next frame starts from.
        memory: state of the image's features.
    """

    propagated: Found
    discovered: Found
    proposed: Tensor
    explained: Tensor
    kept: Tensor
    layers: Tensor
    tracks: Tracks
    memory: Tensor

    def divergences(
        self,
        priors: dict[str, Normal],
        prior_probability: Tensor,
        prior_presence: float,
    ) -> dict[str, Tensor]:
        """Return the divergences of propagated and discovered objects from their priors, (B,)."""
        moved, found = self.propagated, self.discovered
        new = prior_presence * (1 - self.explained) + 1e-8 * self.explained
        presence = bernoulli_divergence(moved.logit.sigmoid(), prior_probability) * self.kept
        terms = {
            "kl_presence": presence.sum((1, 2))
            + bernoulli_divergence(found.logit.sigmoid(), new).sum((1, 2))
        }
        for name, prior in priors.items():
            followed = kl_divergence(moved.posteriors[name], prior) * moved.presence
            discovered = kl_divergence(found.posteriors[name], Normal(0.0, 1.0)) * self.proposed
            terms[f"kl_{name}"] = followed.sum((1, 2)) + discovered.sum((1, 2))
        return terms

    def with_prior_state(self, state: tuple[Tensor, Tensor]) -> Tracks:
        """Return the tracks with the prior's state, which new objects start at zero."""
        old = (self.tracks.hidden != 0).any(-1, keepdim=True)
        hidden, cell = (torch.where(old, part, 0.0) for part in state)
        return self.tracks._replace(prior_hidden=hidden, prior_cell=cell)
