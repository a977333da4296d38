"""Slot identity over time: does a thing keep its slot, and does a slot keep its thing?"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from ocrl.metrics.base import check_targets, consecutive_ids, count_pairs, hard_segments
from ocrl.metrics.overlap import pairwise_iou

RATES = ("slot_switches", "slot_returns", "new_slots", "slot_reuse")


class SlotIdentity(Metric):
    """Four rates that tell long-term consistency apart from good masks.

    An object is a true segment with id > 0. In each frame where it covers at least ``min_area``
    of the image it is visible, and the slot with the largest IoU owns it.

    - ``slot_switches``: how often an object visible in two successive frames changes its owner.
    - ``slot_returns``: how often an object that comes back after a gap gets its owner back.
    - ``new_slots``: how often an object that first appears after the first frame takes a slot
      that has owned nothing before.
    - ``slot_reuse``: how often the slot of an object that vanishes goes to an object it did not
      own, before the vanished one returns or the video ends.

    A rate without occasions is NaN; ``occasions`` says how many there were. One slot that covers
    everything never switches: read these rates beside FG-ARI or mBO.

    Args:
        min_area: share of the image from which on an object counts as visible.

    Example:
        >>> truth = torch.tensor([[1, 2], [1, 2], [1, 2]]).view(1, 3, 1, 2)
        >>> slots = torch.tensor([[0, 1], [0, 1], [1, 0]]).view(1, 3, 1, 2)
        >>> metric = SlotIdentity()
        >>> metric.update(slots, truth)
        >>> metric.compute()["slot_switches"].item(), metric.occasions["slot_switches"]
        (0.5, 4)
    """

    is_differentiable = False
    full_state_update = False

    happened: Tensor
    possible: Tensor

    def __init__(self, min_area: float = 0.002) -> None:
        super().__init__()
        self.min_area = min_area
        for state in ("happened", "possible"):
            self.add_state(state, torch.zeros(len(RATES)).double(), dist_reduce_fx="sum")

    @property
    def occasions(self) -> dict[str, int]:
        """How many occasions each rate is the mean of, on this process."""
        return {name: int(n) for name, n in zip(RATES, self.possible, strict=True)}

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Count what happens in a batch of videos.

        Args:
            predictions: soft masks (B, T, K, h, w), or slot ids >= 0 (B, T, H, W).
            targets: true segment ids, integers (B, T, H, W); pixels of negative ones count nowhere.

        Raises:
            UsageError: shapes or types that do not fit.
        """
        check_targets(targets)
        size = (targets.shape[-2], targets.shape[-1])
        slots = hard_segments(predictions, size).flatten(0, 1).flatten(1)
        rows, true_ids = consecutive_ids(targets.flatten(0, 1).flatten(1))
        tables = count_pairs(rows, slots, len(true_ids), int(slots.max()) + 1)
        tables, true_ids = tables[:, true_ids >= 0], true_ids[true_ids >= 0]
        objects = true_ids > 0
        areas = tables[:, objects].sum(2) / (size[0] * size[1])
        owners = pairwise_iou(tables)[:, objects].max(2).indices
        shape = (*targets.shape[:2], areas.shape[1])
        visible = (areas >= self.min_area) & (areas > 0)
        for video_owners, video_visible in zip(
            owners.view(shape).cpu().numpy(), visible.view(shape).cpu().numpy(), strict=True
        ):
            happened, possible = identity_events(video_owners, video_visible)
            self.happened += torch.tensor(happened).to(self.happened)
            self.possible += torch.tensor(possible).to(self.possible)

    def compute(self) -> dict[str, Tensor]:
        """Return the rates by name."""
        return dict(zip(RATES, self.happened / self.possible, strict=True))


def identity_events(
    owners: NDArray[Any], visible: NDArray[np.bool_]
) -> tuple[list[int], list[int]]:
    """Count switches, returns, new slots and reuses in one video.

    Args:
        owners: the slot that owns each object in each frame, integers (T, C).
        visible: whether it is there to be owned, bool (T, C).

    Returns:
        How often each happened, and how often it could have, in the order of ``RATES``.
    """
    switches, returns, new, reuses = [], [], [], []
    end = len(owners)
    for thing in range(owners.shape[1]):
        times = np.flatnonzero(visible[:, thing])
        if not len(times):
            continue
        for before, after in itertools.pairwise(times):
            same = owners[before, thing] == owners[after, thing]
            if after == before + 1:
                switches.append(not same)
            else:
                returns.append(same)
        if times[0] > 0:
            earlier = owners[: times[0]][visible[: times[0]]]
            new.append(owners[times[0], thing] not in earlier)
        for last, back in zip(times, [*times[1:], end], strict=True):
            if back > last + 1 and last + 1 < end:
                slot = owners[last, thing]
                others = visible & (owners == slot)
                takers = others[last + 1 : back].any(0) & ~others[last]
                reuses.append(takers.any())
    events = (switches, returns, new, reuses)
    return [int(sum(event)) for event in events], [len(event) for event in events]
