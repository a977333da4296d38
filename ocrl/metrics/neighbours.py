"""What do features know? Neighbours among labelled patches tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.errors import UsageError
from ocrl.metrics.base import consecutive_ids

Features = Callable[[Tensor], Tensor]


def patch_kinds(kinds: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Return the kind that covers most of each patch.

    Args:
        kinds: of each pixel, integers (B, H, W); negative ones are of no kind.
        grid_size: (h, w) patches, which divide H and W.

    Returns:
        int64 (B, h, w), -1 where all of a patch is of no kind.

    Example:
        >>> patch_kinds(torch.tensor([[[0, 0, 2, 2], [0, 1, 1, 2]]]), (1, 2))
        tensor([[[0, 2]]])
    """
    pixels = F.one_hot(kinds.long().clamp_min(0)) * (kinds >= 0).unsqueeze(-1)
    areas, found = F.adaptive_avg_pool2d(pixels.movedim(-1, 1).float(), grid_size).max(dim=1)
    return torch.where(areas > 0, found, -1)


def weighted_neighbours(
    bank: Tensor, labels: Tensor, queries: Tensor, *, num_neighbours: int = 20, spread: float = 0.07
) -> Tensor:
    """Classify by the nearest neighbours, near ones counting more (Wu et al. 2018, 1805.01978).

        vote_c = sum over the nearest i of label c of  exp(-|q - b_i|^2 / (2 spread))

    With features of length one, as DINO has them, that is exp(<q, b_i> / spread) but for a factor.

    Args:
        bank: labelled features, float (M, F).
        labels: of the bank, int64 (M,).
        queries: features to classify, float (Q, F).
        num_neighbours: how many vote.
        spread: see above.

    Returns:
        int64 (Q,).

    Example:
        >>> bank, labels = torch.tensor([[0.0], [1.0], [1.1]]), torch.tensor([4, 7, 7])
        >>> weighted_neighbours(bank, labels, torch.tensor([[0.2], [0.9]]), num_neighbours=3)
        tensor([4, 7])
    """
    numbers, names = consecutive_ids(labels)
    ballots = F.one_hot(numbers).float()
    winners = []
    for chunk in torch.split(queries, 4096):
        distances, nearest = torch.cdist(chunk, bank).topk(
            min(num_neighbours, len(bank)), largest=False
        )
        weights = torch.softmax(-distances.square() / (2 * spread), dim=1)
        votes = torch.einsum("qn,qnc->qc", weights, ballots[nearest])
        winners.append(names[votes.max(dim=1).indices])
    return torch.cat(winners)


class NeighbourProbe:
    """How well the nearest labelled patches tell the kind of a patch in unseen frames.

    The bank holds as many patches of each kind as there are of the rarest, at most ``per_kind``;
    accuracy is the mean over kinds. So a large sky counts as much as small things.

    Args:
        frames: of the bank, uint8 (B, H, W, 3).
        kinds: of its pixels, indices into ``names``, integers (B, H, W); negative ones are of no
            kind, as borders that annotators left open.
        unseen_frames: to classify, uint8 (C, H, W, 3).
        unseen_kinds: of their pixels, integers (C, H, W).
        names: of the kinds.
        per_kind: patches of a kind in the bank, at most.

    Raises:
        UsageError: no kind is in both the bank and the unseen frames.
    """

    def __init__(
        self,
        frames: Tensor,
        kinds: Tensor,
        unseen_frames: Tensor,
        unseen_kinds: Tensor,
        names: Sequence[str],
        *,
        per_kind: int = 1000,
    ) -> None:
        shared = set(torch.unique(kinds).tolist()) & set(torch.unique(unseen_kinds).tolist())
        if max(shared, default=-1) < 0:
            raise UsageError(
                "no kind of segment is in both training and unseen frames: take more frames"
            )
        self.frames = frames
        self.kinds = kinds
        self.unseen_frames = unseen_frames
        self.unseen_kinds = unseen_kinds
        self.names = names
        self.per_kind = per_kind

    @torch.inference_mode()
    def accuracy(self, features: Features) -> dict[str, float]:
        """Return the accuracy of each kind that there is, and their mean, ``balanced``.

        Args:
            features: frames uint8 (B, H, W, 3) to features (B, h, w, F): those of a backbone by
                `ocrl.baselines.BackboneFeatures`.
        """
        bank, labels = _patches(features, self.frames, self.kinds)
        chosen = self._choose(labels)
        queries, truth = _patches(features, self.unseen_frames, self.unseen_kinds)
        found = weighted_neighbours(bank[chosen], labels[chosen], queries)
        recalls = {
            self.names[kind]: (found[truth == kind] == kind).float().mean().item()
            for kind in torch.unique(truth).tolist()
        }
        return {"balanced": sum(recalls.values()) / len(recalls), **recalls}

    def _choose(self, labels: Tensor) -> Tensor:
        """Return the places of equally many patches of each kind, spread over all frames."""
        places = [torch.nonzero(labels == kind).squeeze(1) for kind in torch.unique(labels)]
        num = min(self.per_kind, *(len(there) for there in places))
        return torch.cat(
            [there[torch.linspace(0, len(there) - 1, num).round().long()] for there in places]
        )


def _patches(features: Features, frames: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features (P, F) of all patches that are of a kind, and their kinds (P,)."""
    grids = torch.cat([features(chunk).cpu() for chunk in torch.split(frames, 32)])
    height, width = grids.shape[1:3]
    found = patch_kinds(kinds, (height, width)).flatten()
    return grids.flatten(0, 2)[found >= 0], found[found >= 0]
