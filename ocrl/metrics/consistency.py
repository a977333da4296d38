"""Scores that need no ground truth: does a slot stay itself, and do the slots explain the frame?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from ocrl.data.clips import batches
from ocrl.encoder import Encoder


def slot_persistence(tokens: Tensor) -> Tensor:
    """Return how many slots are nearest to themselves in the next frame.

    Nearest by cosine among the K slots of the next frame; what the slot contrast of SlotContrast
    asks for, without its temperature. Chance is 1 / K.

    Args:
        tokens: (B, T, K, D) of videos of two frames or more.

    Returns:
        The share, a scalar in [0, 1].

    Example:
        >>> slots = torch.eye(4).expand(1, 3, 4, 4)
        >>> slot_persistence(slots).item(), slot_persistence(slots.roll(1, 2)).item()
        (1.0, 1.0)
        >>> swapped = torch.stack([torch.eye(4), torch.eye(4)[[1, 0, 2, 3]]])[None]
        >>> slot_persistence(swapped).item()
        0.5
    """
    slots = F.normalize(tokens, dim=-1)
    similarity = slots[:, :-1] @ slots[:, 1:].mT
    nearest = similarity.argmax(-1)
    return (nearest == torch.arange(tokens.shape[2], device=tokens.device)).float().mean()


def mask_persistence(masks: Tensor) -> Tensor:
    """Return the overlap (IoU) of each slot's hard mask with its own in the next frame.

    Args:
        masks: (B, T, K, h, w).

    Returns:
        The mean over slots that are in either frame, a scalar in [0, 1].

    Example:
        >>> masks = torch.eye(2).view(1, 1, 2, 1, 2).expand(1, 3, 2, 1, 2)
        >>> mask_persistence(masks).item(), mask_persistence(masks.flip(2)).item()
        (1.0, 1.0)
    """
    ids = masks.argmax(2)
    hard = F.one_hot(ids, masks.shape[2]).bool().flatten(2, 3)
    here, there = hard[:, :-1], hard[:, 1:]
    union = (here | there).sum(2)
    shared = (here & there).sum(2)
    return (shared[union > 0] / union[union > 0]).mean()


@torch.inference_mode()
def score_without_truth(
    encoder: Encoder, clips: Dataset[dict[str, Tensor]], batch_size: int = 8
) -> dict[str, float]:
    """Score an encoder on clips without true segments.

    Returns:
        ``slot_persistence``, and ``mask_persistence`` if the tokens have a place, of clips of more
        than one frame; and with a decoder
        ``unexplained``, the squared error of the reconstruction over the variance of its target:
        0 is perfect, 1 no better than the target's mean.

    Example:
        >>> from ocrl.encoders.block_masks import BlockMasks
        >>> clips = [{"video": torch.zeros(3, 64, 64, 3, dtype=torch.uint8)}]
        >>> score_without_truth(BlockMasks(), clips)["mask_persistence"]
        1.0
    """
    encoder.eval()
    totals: dict[str, list[tuple[float, int]]] = {}

    def add(name: str, value: Tensor, size: int) -> None:
        totals.setdefault(name, []).append((float(value), size))

    for batch in batches(clips, batch_size):
        seen, size = encoder.to_device(batch), len(batch["video"])
        output = encoder.encode_video(seen["video"], encoder.first_state(seen))
        is_video = output.tokens.shape[1] > 1
        if is_video:
            add("slot_persistence", slot_persistence(output.tokens), size)
        if is_video and output.masks is not None:
            add("mask_persistence", mask_persistence(output.masks), size)
        decoded = encoder.reconstruct(seen)
        if decoded is not None:
            spread = decoded.target - decoded.target.mean((0, 1, 2))
            error = (decoded.reconstruction - decoded.target).square().mean()
            add("unexplained", error / spread.square().mean(), size)
    return {
        name: sum(value * size for value, size in parts) / sum(size for _, size in parts)
        for name, parts in totals.items()
    }
