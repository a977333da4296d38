"""What encoders minimise: each objective with its equation and its source."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.errors import UsageError


def feature_reconstruction(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over everything (DINOSAUR, arXiv 2209.14860).

        L = mean_{b,n,f} (y_bnf - h_bnf)^2

    Args:
        reconstruction: (..., N, F).
        target: (..., N, F).

    Returns:
        A scalar.
    """
    return F.mse_loss(reconstruction, target)


def slot_slot_contrast(slots: Tensor, temperature: float = 0.1) -> Tensor:
    """Each slot is to find itself one frame earlier, among all slots of the batch.

        L = mean over (t, i) of  -log  exp(<z_t,i, z_t+1,i> / tau)
                                       / sum_j exp(<z_t,j, z_t+1,i> / tau)

    z are the unit slots, i and j run over all B * K slots of the batch (the batch-level slot-slot
    contrast of SlotContrast, arXiv 2412.14295). The sum runs over the slots of frame t, as in the
    official code, which the released weights were trained with; the paper sums over frame t + 1.

    Args:
        slots: (B, T, K, D), T at least 2.
        temperature: tau.

    Returns:
        A scalar.

    Raises:
        UsageError: for clips of one frame.
    """
    if slots.shape[1] < 2:
        raise UsageError(
            "slot contrast compares neighbouring frames, but the clips have one: use clips of 2 "
            "frames or more"
        )
    units = F.normalize(slots, dim=-1).transpose(0, 1).flatten(1, 2)
    logits = units[:-1] @ units[1:].transpose(1, 2) / temperature
    return -torch.log_softmax(logits, dim=1).diagonal(dim1=1, dim2=2).mean()


def temporal_similarity_target(keys: Tensor, temperature: float) -> Tensor:
    """Where each patch's feature is found again one frame later (VideoSAUR, arXiv 2306.04829).

        P = softmax over patches of frame t+1 of  <k_t,n, k_t+1,m> / tau,  similarities below 0 out

    for unit features k. A patch that resembles none gets a uniform row.

    Args:
        keys: (B, T, N, F) patch features, T at least 2.
        temperature: tau.

    Returns:
        (B, T - 1, N, N), each row summing to one, without gradient.

    Raises:
        UsageError: for clips of one frame.
    """
    if keys.shape[1] < 2:
        raise UsageError(
            "temporal similarity compares neighbouring frames, but the clips have one: use clips "
            "of 2 frames or more"
        )
    units = F.normalize(keys.detach(), dim=-1)
    similarity = units[:, :-1] @ units[:, 1:].transpose(2, 3)
    logits = similarity.masked_fill(similarity < 0, -math.inf) / temperature
    resembles_none = (similarity < 0).all(dim=-1, keepdim=True)
    return torch.softmax(logits.masked_fill(resembles_none, 0.0), dim=-1)


def temporal_similarity(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of predicted against actual similarities (VideoSAUR, arXiv 2306.04829).

        L = mean_{b,t,n}  - sum_m P_btnm log softmax_m(y_btnm)

    Args:
        logits: (B, T - 1, N, N), predicted from the slots of frames 1 to T - 1.
        target: what `temporal_similarity_target` gives.

    Returns:
        A scalar.
    """
    return -(target * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def flat_mixture_likelihood(
    target: Tensor, masks: Tensor, constants: Tensor, sigma: float
) -> Tensor:
    """Negative log likelihood of targets under a mixture of one Gaussian per slot.

        L = mean_{b,n}  -log sum_k m_bkn exp(-|h_bn - c_bk|^2 / (2 sigma^2))

    the observation model of MONet (arXiv 1901.11390), with a constant per slot, not an image.

    Args:
        target: (B, N, F), h.
        masks: (B, K, N), m, summing to one over K.
        constants: (B, K, F), c.
        sigma: standard deviation of every Gaussian.

    Returns:
        A scalar.
    """
    squared_distances = (target.unsqueeze(1) - constants.unsqueeze(2)).square().sum(dim=-1)
    log_masks = masks.clamp_min(torch.finfo(masks.dtype).tiny).log()
    return -torch.logsumexp(log_masks - squared_distances / (2 * sigma**2), dim=1).mean()
