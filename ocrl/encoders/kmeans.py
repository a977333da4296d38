"""The second baseline of every slot encoder: k-means on colours, or on features of a backbone."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.errors import UsageError
from ocrl.modules.backbones import Backbone


class ColourPosition:
    """Mean colour of each cell of a grid, and where the cell is.

    Args:
        grid: (h, w) cells.
        position_weight: how much the position counts; 0 is colour alone.

    Example:
        >>> features = ColourPosition(grid=(16, 16))
        >>> features(torch.zeros(2, 64, 64, 3, dtype=torch.uint8)).shape
        torch.Size([2, 16, 16, 5])
    """

    def __init__(self, grid: tuple[int, int] = (16, 16), position_weight: float = 0.15) -> None:
        self.grid = grid
        self.position_weight = position_weight

    def __call__(self, frames: Tensor) -> Tensor:
        """Return colours in [0, 1] and weighted positions: uint8 (B, H, W, 3) to (B, h, w, 5)."""
        colours = F.adaptive_avg_pool2d(frames.movedim(-1, 1).float() / 255, self.grid)
        axes = [torch.linspace(0, 1, n, device=frames.device) for n in self.grid]
        position = self.position_weight * torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return torch.cat([colours.movedim(1, -1), position.expand(len(frames), -1, -1, -1)], dim=-1)


class BackboneFeatures(nn.Module):
    """Features of a backbone, each of length one, so that k-means compares their directions.

    Args:
        backbone: frames to tokens, for example a frozen DINOv2.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames uint8 (B, H, W, 3) to features (B, h, w, F)."""
        tokens: Tensor = self.backbone(frames)
        height, width = self.backbone.grid_size
        return F.normalize(tokens, dim=-1).view(len(frames), height, width, -1)


class KMeans(Encoder):
    """k-means on features of each frame, started from the clusters of the frame before.

    The first frame starts from k-means++ with a fixed seed. Tokens are the cluster centres.

    Args:
        num_slots: number of clusters K.
        features: maps frames uint8 (B, H, W, 3) to features (B, h, w, D); colour and position by
            default, or `BackboneFeatures`.
        num_iterations: Lloyd iterations per frame.
        image_size: (height, width) of the frames.

    Example:
        >>> encoder = KMeans(num_slots=4, features=ColourPosition(grid=(32, 32)))
        >>> frames = torch.randint(0, 256, (1, 2, 64, 64, 3), dtype=torch.uint8)
        >>> encoder.encode_video(frames).masks.shape
        torch.Size([1, 2, 4, 32, 32])
    """

    def __init__(
        self,
        num_slots: int = 7,
        features: Callable[[Tensor], Tensor] | None = None,
        num_iterations: int = 10,
        image_size: tuple[int, int] = (64, 64),
    ) -> None:
        super().__init__()
        self.features = features if features is not None else ColourPosition()
        self.num_iterations = num_iterations
        self.image_size = (image_size[0], image_size[1])
        height, width, dim = self.features(torch.zeros(1, *self.image_size, 3).byte()).shape[1:]
        if height * width < num_slots:
            raise UsageError(
                f"{num_slots} clusters need {num_slots} features, got a grid of {height}x{width}: "
                "take fewer slots or a finer grid"
            )
        self.num_tokens = num_slots
        self.token_dim = dim

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (B, K, D): a first frame does not look at them."""
        return torch.zeros(batch_size, self.num_tokens, self.token_dim)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Cluster each frame, from its last centres unless it is a first frame."""
        self.check_frames(frames)
        features = self.features(frames)
        grid = features.shape[1:3]
        centres, ids = [], []
        for index, points in enumerate(features.flatten(1, 2).cpu().double().numpy()):
            start = None if state is None or is_first[index] else state[index].cpu().numpy()
            row_centres, row_ids = self._cluster(points, start)
            centres.append(torch.from_numpy(row_centres))
            ids.append(torch.from_numpy(row_ids))
        tokens = torch.stack(centres).to(features)
        masks = F.one_hot(torch.stack(ids).long(), self.num_tokens).to(features)
        return EncoderOutput(tokens, masks.mT.view(len(frames), self.num_tokens, *grid), tokens)

    def _cluster(
        self, points: np.ndarray, start: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            # A cluster may run empty; its centre then stays where it was.
            warnings.filterwarnings("ignore", message="One of the clusters is empty")
            if start is None:
                found = kmeans2(points, self.num_tokens, self.num_iterations, minit="++", rng=0)
            else:
                found = kmeans2(points, start, self.num_iterations, minit="matrix")
        centres, ids = found
        return centres, ids
