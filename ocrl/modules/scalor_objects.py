"""Objects of SCALOR: what is known of them, and the slots of those that are followed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal


class Anchor(NamedTuple):
    """Which boxes objects have: their size as a fraction of the image, and height over width.

    Attributes:
        size: in the middle of what is possible.
        size_range: how far a size may be from it.
        ratio: in the middle of what is possible.
        ratio_range: how far a ratio may be from it.
    """

    size: float
    size_range: float
    ratio: float
    ratio_range: float

    def sizes(self, raw: Tensor) -> Tensor:
        """Return (width, height), (..., 2), of unbounded numbers (..., 2)."""
        size, ratio = raw.tanh().chunk(2, dim=-1)
        size = self.size + self.size_range * size
        root = (self.ratio + self.ratio_range * ratio).sqrt()
        return torch.cat([size / root, size * root], dim=-1)


class Sizes(NamedTuple):
    """Widths of SCALOR's layers; the defaults are the published ones.

    Attributes:
        feature_dim: of the image's features.
        mask_dim: of the features of what propagated objects cover.
        hidden_dim: of an object's tracker.
        input_dim: of what the tracker reads.
        crop_hidden_dim: channels of the features around an object.
        crop_dim: of their code.
        where_dim: of the hidden layer before a box.
        depth_dim: of the hidden layer before depth.
        presence_dim: of the hidden layer before presence.
        what_hidden_dim: of the hidden layer before what.
        prior_dim: of the prior's LSTM.
        prior_input_dim: of what that reads.
    """

    feature_dim: int = 64
    mask_dim: int = 32
    hidden_dim: int = 128
    input_dim: int = 128
    crop_hidden_dim: int = 64
    crop_dim: int = 128
    where_dim: int = 128
    depth_dim: int = 128
    presence_dim: int = 64
    what_hidden_dim: int = 64
    prior_dim: int = 64
    prior_input_dim: int = 128


class Tracks(NamedTuple):
    """K slots for objects that are followed, all zeros where a slot is free.

    Attributes:
        presence: (B, K, 1).
        boxes: (B, K, 4), see `ocrl.modules.spatial_transformer`.
        box_noise: (B, K, 4), what a box was made of.
        what: (B, K, D).
        depth: (B, K, 1), smaller is nearer.
        hidden: (B, K, H), of the tracker.
        doubt: (B, K, 1), sum of 1 - presence since it was found.
        prior_hidden: (B, K, P), of the prior's LSTM; so is ``prior_cell``.
        prior_cell: (B, K, P).
    """

    presence: Tensor
    boxes: Tensor
    box_noise: Tensor
    what: Tensor
    depth: Tensor
    hidden: Tensor
    doubt: Tensor
    prior_hidden: Tensor
    prior_cell: Tensor


class Found(NamedTuple):
    """Objects of one frame, propagated (N = K) or discovered (N cells), with their posteriors."""

    logit: Tensor
    presence: Tensor
    boxes: Tensor
    box_noise: Tensor
    what: Tensor
    depth: Tensor
    posteriors: dict[str, Normal]


def fill_free_slots(tracks: Tracks, found: Found, threshold: float = 0.7) -> Tracks:
    """Put newly found objects, in the order of their cells, into the slots that are free.

    Args:
        tracks: slots; those with a presence of 0 are free, and are emptied.
        found: of all cells; objects with a presence above ``threshold`` are followed.
        threshold: see there.
    """
    free = tracks.presence.squeeze(-1) <= 0
    accepted = found.presence.squeeze(-1) > threshold
    slots = (~free).int().argsort(dim=1, stable=True)
    cells = (~accepted).int().argsort(dim=1, stable=True)
    number = min(slots.shape[1], cells.shape[1])
    slots, cells = slots[:, :number], cells[:, :number]
    fits = (free.gather(1, slots) & accepted.gather(1, cells)).unsqueeze(-1)
    new = (found.presence, found.boxes, found.box_noise, found.what, found.depth)
    parts = []
    for i, part in enumerate(tracks):
        emptied = torch.where(free.unsqueeze(-1), 0.0, part)
        index = slots.unsqueeze(-1).expand(-1, -1, part.shape[-1])
        coming = emptied.gather(1, index)
        if i < len(new):
            from_cells = new[i].gather(1, cells.unsqueeze(-1).expand(-1, -1, part.shape[-1]))
            coming = torch.where(fits, from_cells, coming)
        parts.append(emptied.scatter(1, index, coming.to(emptied.dtype)))
    return Tracks(*parts)
