"""Discovery of SCALOR: image features that remember, and what each cell finds that is new."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.cells import cell_indices, grid_of_cells
from ocrl.modules.conv_lstm import ConvLSTMCell
from ocrl.modules.convolutions import LateralConvolutions, conv_block, narrow
from ocrl.modules.glimpses import GlimpseEncoder
from ocrl.modules.noise import Noise, gaussian
from ocrl.modules.scalor_objects import Anchor, Found, Sizes
from ocrl.modules.spatial_transformer import crop

LAST_STRIDES = {8: 1, 16: 2}
"""Stride of the last convolution to the grid, by the pixels along a cell's side."""


class Memory(nn.Module):
    """Features of each cell of a frame, in the light of the frames before.

    Args:
        image_size: (height, width), multiples of the cell's side.
        feature_dim: channels of the features.
        width: share of the published channels and groups.
        cell_size: pixels along a cell's side: 16 as published, or 8.
    """

    def __init__(
        self, image_size: tuple[int, int], feature_dim: int, width: float, cell_size: int = 16
    ) -> None:
        super().__init__()
        if cell_size not in LAST_STRIDES:
            raise UsageError(f"cells have sides of 8 or 16 pixels, not {cell_size}: choose one")
        self.grid_size = grid_of_cells(image_size, cell_size)
        self.dim = feature_dim
        strides = [2, 1, 2, 1, 2, 1, LAST_STRIDES[cell_size]]
        layers = _pyramid(3, [16, 16, 32, 32, 64, 64, 64], strides, width)
        last, groups, lateral_groups = narrow([64, 16, 8], width)
        self.layers = nn.Sequential(*layers, *conv_block(last, feature_dim, 1, groups=groups))
        self.lateral = LateralConvolutions(feature_dim, feature_dim, lateral_groups)
        self.lstm = nn.ModuleList(
            ConvLSTMCell(feature_dim, feature_dim, self.grid_size) for _ in range(2)
        )

    def forward(self, images: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (B, dim, rows, columns) of images and the next state.

        Args:
            images: (B, 3, H, W).
            state: (B, 4, dim, rows, columns): h and c of both layers; zeros at first.
        """
        features = self.lateral(self.layers(images))
        states = []
        for i, cell in enumerate(self.lstm):
            features, memory = cell(features, (state[:, 2 * i], state[:, 2 * i + 1]))
            states += [features, memory]
        return features, torch.stack(states, dim=1)


class Discovery(nn.Module):
    """What each cell finds, told what propagated objects cover already.

    Args:
        grid_size: (rows, columns).
        sizes: widths of the layers.
        anchor: which boxes objects have.
        width: share of the published channels and groups.
        cell_size: pixels along a cell's side: 16 as published, or 8.
    """

    cells: Tensor

    def __init__(
        self,
        grid_size: tuple[int, int],
        sizes: Sizes,
        anchor: Anchor,
        width: float,
        cell_size: int = 16,
    ) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.anchor = anchor
        self.register_buffer("cells", cell_indices(grid_size), persistent=False)
        strides = [2, 2, 1, 2, 1, LAST_STRIDES[cell_size]]
        layers = _pyramid(1, [16, 32, 32, 64, 64, 64], strides, width)
        last, mask_groups, groups = narrow([64, 8, 16], width)
        dim = sizes.feature_dim
        self.mask_encoder = nn.Sequential(
            *layers, *conv_block(last, sizes.mask_dim, 1, groups=mask_groups)
        )
        self.layers = nn.Sequential(
            *conv_block(dim + sizes.mask_dim, dim, 1, groups=groups),
            *conv_block(dim, dim, 1, groups=groups),
        )
        self.to_box = nn.Conv2d(dim, 8, 1)
        self.to_presence = nn.Conv2d(dim, 1, 1)
        self.to_depth = nn.Conv2d(dim, 2, 1)

    def forward(
        self,
        images: Tensor,
        features: Tensor,
        covered: Tensor,
        encoder: GlimpseEncoder,
        noise: Noise,
        temperature: float,
        t: int,
    ) -> Found:
        """Look at every cell; ``covered`` (B, 1, H, W) is what propagated objects cover."""
        cells = self.layers(torch.cat([features, self.mask_encoder(covered)], dim=1))
        logit = 8.8 * torch.tanh(_by_cell(self.to_presence(cells)))
        presence = noise.relaxed_bernoulli(f"discovery_presence_{t}", logit, temperature)
        depths = gaussian(_by_cell(self.to_depth(cells)))
        depth = noise.normal(f"discovery_depth_{t}", depths)
        boxes = gaussian(_by_cell(self.to_box(cells)))
        raw = noise.normal(f"discovery_box_{t}", boxes)
        sides = raw.new_tensor(self.grid_size[::-1])
        centre = 2 / sides * (self.cells + 0.5 + raw[..., 2:].tanh()) - 1
        box = torch.cat([self.anchor.sizes(raw[..., :2]), centre], dim=-1)
        whats = encoder(crop(images, box, encoder.size))
        what = noise.normal(f"discovery_what_{t}", whats)
        posteriors = {"box": boxes, "what": whats, "depth": depths}
        return Found(logit, presence, box, torch.zeros_like(box), what, depth, posteriors)


def _by_cell(maps: Tensor) -> Tensor:
    """Return maps (B, D, rows, columns) cell by cell, (B, N, D)."""
    return maps.flatten(2).mT


def _pyramid(in_dim: int, dims: list[int], strides: list[int], width: float) -> list[nn.Module]:
    """Return convolutions, of 4x4 where they stride, with groups of 4 channels at first, then 8."""
    layers: list[nn.Module] = []
    groups = narrow([4 if dim == 16 else 8 for dim in dims], width)
    for dim, stride, group in zip(narrow(dims, width), strides, groups, strict=True):
        layers += conv_block(in_dim, dim, 4 if stride == 2 else 3, stride, padding=1, groups=group)
        in_dim = dim
    return layers
