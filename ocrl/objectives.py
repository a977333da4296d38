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


def label_error(probabilities: Tensor, labels: Tensor, where: Tensor) -> Tensor:
    """Mean squared error between probabilities and labels, at chosen cells (SSync).

        L = mean over k and the cells chosen of  (p_k - [k = label])^2

    Source: arXiv 2606.15527; cells where a teacher's labels are worth learning from.

    Args:
        probabilities: (B, T, K, h, w), summing to one over K.
        labels: integers (B, T, h, w), below K.
        where: bool (B, T, h, w), the cells chosen.

    Returns:
        A scalar; 0 if no cell is chosen.
    """
    num_slots = probabilities.shape[2]
    wanted = F.one_hot(labels, num_slots).movedim(-1, 2)
    errors = (probabilities - wanted).square().mean(dim=2)
    return (errors * where).sum() / where.sum().clamp(min=1)


def structural_dissimilarity(
    reconstruction: Tensor, target: Tensor, grid_size: tuple[int, int]
) -> Tensor:
    """One minus the structural similarity of feature videos (SlotCurri, arXiv 2603.22758).

        L = 1 - mean  (2 m_y m_h + c_1)(2 s_yh + c_2) / ((m_y^2 + m_h^2 + c_1)(s_yy + s_hh + c_2))

    with the means m and (co)variances s of each channel under a Gaussian window of 3 frames by 3 x
    3 cells, sigma 1.5, c_1 = 0.01^2 and c_2 = 0.03^2. Before, each video is scaled so that target
    and reconstruction, taken together, lie in [0, 1]. Axes shorter than the window are not
    smoothed. In single precision, for variances are differences of like numbers.

    Source: Wang et al. 2004, in three dimensions, with the constants of the public code.

    Args:
        reconstruction: (B, T, N, F).
        target: (B, T, N, F).
        grid_size: (height, width) of the cells, N = height * width.

    Returns:
        A scalar.
    """
    pair = torch.stack([reconstruction, target]).float()
    low, high = pair.detach().amin((0, 2, 3, 4)), pair.detach().amax((0, 2, 3, 4))
    scaled = (pair - low.view(-1, 1, 1, 1)) / (high - low + 1e-6).view(-1, 1, 1, 1)
    y, h = torch.unflatten(scaled, 3, grid_size)
    mean_y, mean_h, mean_yy, mean_hh, mean_yh = map(_smooth, (y, h, y * y, h * h, y * h))
    means, covariance = mean_y * mean_h, mean_yh - mean_y * mean_h
    squares = mean_y.square() + mean_h.square()
    variances = mean_yy + mean_hh - squares
    c_1, c_2 = 0.01**2, 0.03**2
    similarity = (2 * means + c_1) * (2 * covariance + c_2)
    return 1 - (similarity / ((squares + c_1) * (variances + c_2))).mean()


def _smooth(videos: Tensor) -> Tensor:
    """Average videos (..., T, height, width, F) under a Gaussian window, without padding.

    Its weights are rounded to single precision as in the public code, which variances feel: with
    exact ones the loss is off by 6e-6.
    """
    window = torch.exp(-torch.tensor([-1.0, 0.0, 1.0]).square() / (2 * 1.5**2))
    edge, centre, _ = (window / window.sum()).tolist()
    for axis in (-4, -3, -2):
        size = videos.shape[axis] - 2
        if size > 0:
            before, here, after = (videos.narrow(axis, i, size) for i in range(3))
            videos = edge * (before + after) + centre * here
    return videos
