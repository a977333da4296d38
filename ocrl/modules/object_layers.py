"""Objects drawn in layers, one over the other: who is seen, what is covered, what is new."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TINY = 1e-15


def blend(layers: Tensor) -> tuple[Tensor, Tensor]:
    """Return each object's share (B, N, 1, H, W), and what all cover together (B, 1, H, W)."""
    importance = layers[:, :, 4:]
    shares = importance / (importance.sum(dim=1, keepdim=True) + TINY)
    return shares, within_bounds(layers[:, :, 3:4].sum(dim=1))


def within_bounds(alpha: Tensor) -> Tensor:
    """Clamp to (0, 1); the gradient is that of what is clamped."""
    return alpha + (alpha.clamp(TINY, 1 - TINY) - alpha).detach()


def is_explained(alphas: Tensor, covered: Tensor) -> Tensor:
    """Return 1 for cells whose object what is followed covers by 30 % or more, (B, N, 1)."""
    proposed = (alphas > 0.3).float()
    shared = (proposed * (covered > 0.1).float().unsqueeze(1)).sum((2, 3, 4))
    share = shared / (proposed.sum((2, 3, 4)) + TINY)
    return (share >= 0.3).float().unsqueeze(-1)


def strongest(presence: Tensor, limits: Tensor) -> Tensor:
    """Keep the presences (B, N, 1) above the one after ``limits`` (B,) of them, and no other."""
    ordered = F.pad(presence.squeeze(-1).sort(dim=1, descending=True).values, (0, 1), value=-1.0)
    threshold = ordered.gather(1, limits.clamp_max(presence.shape[1]).unsqueeze(1))
    return presence * (presence > threshold.unsqueeze(-1))
