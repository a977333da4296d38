"""Objects of SQAIR: what is known of them, how they are looked at, and by which number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.distributions import gaussian_log_density
from ocrl.modules.noise import gaussian
from ocrl.modules.spatial_transformer import crop
from ocrl.modules.sqair_recurrence import elu_mlp

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


def present_first(moved: Objects, found: Objects) -> tuple[Objects, Tensor]:
    """Return objects of both, those that are present first, as many as ``moved`` has.

    Args:
        moved: those propagated, which come first among the present.
        found: those discovered.

    Returns:
        The objects, and which of both one after the other each of them is, (N, K).
    """
    presence = torch.cat([moved.presence, found.presence], dim=1).squeeze(-1)
    order = (1 - presence).argsort(dim=1, stable=True)[:, : moved.presence.shape[1]]
    both = (torch.cat(parts, dim=1) for parts in zip(moved, found, strict=True))
    return Objects(*(pick(part, order) for part in both)), order


def assign_slots(presence: Tensor, slots: Tensor, order: Tensor) -> Tensor:
    """Return a slot for each object, (N, K): its old one, or the first that is free.

    Args:
        presence: (N, K), 1 or 0; those present come first.
        slots: (N, K), of the objects of the frame before.
        order: (N, K), which of those each object is; K or more for new ones.
    """
    num_slots = slots.shape[1]
    old = (order < num_slots) & (presence > 0)
    kept = torch.where(old, slots.gather(1, order.clamp_max(num_slots - 1)), -1)
    numbers = torch.arange(num_slots, device=slots.device)
    taken = (kept.unsqueeze(-1) == numbers).any(dim=1)
    free = taken.int().argsort(dim=1, stable=True)
    rank = (~old).int().cumsum(dim=1) - 1
    return torch.where(old, kept, free.gather(1, rank.clamp_min(0)))


def pack(objects: Objects, slots: Tensor) -> Tensor:
    """Return what the next frame needs of objects and their slots (N, K), as one (N, K, S)."""
    parts = [objects.what, objects.where, objects.presence, objects.temporal]
    return torch.cat([*parts, slots.unsqueeze(-1).to(parts[0].dtype)], dim=-1)


def unpack(state: Tensor, what_dim: int) -> tuple[Objects, Tensor]:
    """Return what ``pack`` packed."""
    ends = [what_dim, what_dim + 4, what_dim + 5, state.shape[-1] - 1]
    what, where, presence, temporal, slots = state.tensor_split(ends, dim=-1)
    nothing = torch.zeros_like(presence)
    objects = Objects(what, where, presence, nothing, nothing, nothing, temporal)
    return objects, slots.squeeze(-1).round().long()


def boxes_of(where: Tensor) -> Tensor:
    """Return boxes (..., 4), see `ocrl.modules.spatial_transformer`, of logits (..., 4)."""
    size, centre = where.chunk(2, dim=-1)
    return torch.cat([size.sigmoid().clamp_min(1e-4), centre.tanh()], dim=-1)


def pick(part: Tensor, order: Tensor) -> Tensor:
    """Return entries of (N, J, D) by their indices (N, K), (N, K, D)."""
    return part.gather(1, order.unsqueeze(-1).expand(-1, -1, part.shape[-1]))


def only_if(presence: Tensor, logit: Tensor) -> Tensor:
    """Return logits where objects were there before, and -88 where they were not."""
    return presence * logit + (presence - 1) * 88


def log_density(sample: Tensor, normal: Normal) -> Tensor:
    """Return the log-density of samples (..., D), (..., 1)."""
    return gaussian_log_density(sample, normal.mean, normal.stddev).sum(-1, keepdim=True)
