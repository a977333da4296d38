"""Pseudo-labels: which slot a cell belongs to, as far as a system can tell by itself."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS = [
    *((0, y, x) for y, x in product((-1, 0, 1), repeat=2) if (y, x) != (0, 0)),
    *((-1, 0, 0), (1, 0, 0)),
]
"""Where the ten neighbours of a cell are: eight in its frame, itself one frame before and after."""


def same_thing(logits: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Tell for each slot which slot speaks for it: itself, unless several lie on one thing.

    A slot covers the cells whose logit is above its mean over the video. Two slots are one thing
    if, averaged over the frames, the intersection over union of what they cover is above the
    threshold; so are slots that are joined by a chain of such pairs (SSync, arXiv 2606.15527). The
    largest of them, by the cells of the whole video that bear its label, speaks for all; of equals,
    the first.

    >>> covers = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [9.0, 7.0, 0.0, 0.0]])
    >>> labels = torch.tensor([[[[2, 2], [1, 1]]]])
    >>> same_thing(covers.view(1, 1, 3, 4), labels, threshold=0.6)
    tensor([[2, 1, 2]])

    Args:
        logits: (B, T, K, N), of attention, before the softmax over K.
        labels: integers (B, T, h, w), the slot of the largest attention.
        threshold: between 0 and 1.

    Returns:
        Indices of slots, (B, K).
    """
    num_slots = logits.shape[2]
    covers = logits > logits.mean(dim=(1, 3), keepdim=True)
    # counted, not multiplied: bfloat16 does not tell 699 from 700
    intersection = (covers.unsqueeze(3) & covers.unsqueeze(2)).sum(dim=-1)
    areas = covers.sum(dim=-1) + 1e-6  # as in the public code; nothing covered is no overlap
    union = areas.unsqueeze(3) + areas.unsqueeze(2) - intersection
    joined = (intersection / union).mean(dim=1) > threshold
    joined = joined | torch.eye(num_slots, dtype=torch.bool, device=joined.device)
    for _ in range((num_slots - 1).bit_length()):  # chains of 2, 4, 8, ... pairs
        joined = joined.float() @ joined.float() > 0
    sizes = F.one_hot(labels, num_slots).sum(dim=(1, 2, 3))
    return torch.where(joined, sizes.unsqueeze(1), -1).argmax(dim=-1)


def rename(labels: Tensor, names: Tensor) -> Tensor:
    """Call slots by other names.

    >>> rename(torch.tensor([[[[0, 1], [2, 0]]]]), torch.tensor([[2, 1, 2]]))
    tensor([[[[2, 1],
              [2, 2]]]])

    Args:
        labels: integers (B, T, h, w).
        names: (B, K), what `same_thing` returns.
    """
    return names.gather(1, labels.flatten(1)).view_as(labels)


def boundary_and_interior(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Tell where things end, and where there is nothing else around.

    A boundary cell's label differs from some of its ten neighbours and equals some: one that
    differs from all is noise. An interior cell's equals all. A neighbour beyond the edge, in space
    or time, is the cell at the edge that is nearest to it.

    Args:
        labels: integers (B, T, h, w).

    Returns:
        Two of bool, (B, T, h, w).
    """
    frames, height, width = labels.shape[1:]
    # in floating point, for torch pads no integers
    padded = F.pad(labels.float(), (1,) * 6, mode="replicate").to(labels.dtype)
    same = torch.zeros_like(labels)
    for t, y, x in NEIGHBOURS:
        shifted = padded[:, t + 1 :, y + 1 :, x + 1 :][:, :frames, :height, :width]
        same = same + (shifted == labels)
    interior = same == len(NEIGHBOURS)
    return (same > 0) & ~interior, interior
