"""A grid of cells over an image: features of each, and where objects in it may be."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError
from ocrl.modules.convolutions import LateralConvolutions, conv_block, narrow

STRIDES = {8: (2, 2, 2, 1, 1), 16: (2, 2, 2, 1, 2), 32: (2, 2, 2, 2, 2)}
"""Strides of SPACE's convolutions by the pixels along a cell's side."""


class CellEncoder(nn.Module):
    """Convolutions down to one feature vector for each cell (SPACE, arXiv 2001.02407).

    >>> encoder = CellEncoder((64, 64), cell_size=8, feature_dim=128, width=0.25)
    >>> encoder(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 32, 8, 8])

    Args:
        image_size: (height, width), multiples of the cell's size.
        cell_size: pixels along a cell's side: 8, 16 or 32.
        feature_dim: channels before the lateral convolutions, which put out 128.
        width: share of the published channels and groups.
    """

    cells: Tensor

    def __init__(
        self, image_size: tuple[int, int], cell_size: int, feature_dim: int, width: float
    ) -> None:
        super().__init__()
        self.grid_size = grid_of_cells(image_size, cell_size)
        if cell_size not in STRIDES:
            raise UsageError(
                f"cells have sides of {', '.join(map(str, STRIDES))} pixels, not {cell_size}: "
                "choose one of these as cell_size"
            )
        channels = narrow([16, 32, 64, 128, 256], width)
        groups = narrow([4, 8, 8, 16, 32], width)
        layers = []
        for i, in_dim in enumerate([3, *channels[:-1]]):
            kernel = 4 if i < 3 else 3
            layers += conv_block(
                in_dim, channels[i], kernel, STRIDES[cell_size][i], padding=1, groups=groups[i]
            )
        feature_dim, self.out_dim, lateral_groups = narrow([feature_dim, 128, 16], width)
        layers += conv_block(channels[-1], feature_dim, 1, groups=lateral_groups)
        self.layers = nn.Sequential(*layers)
        self.lateral = LateralConvolutions(feature_dim, self.out_dim, lateral_groups)
        self.register_buffer("cells", cell_indices(self.grid_size), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to features (B, out_dim, rows, columns)."""
        features: Tensor = self.lateral(self.layers(images))
        return features

    def centres(self, offsets: Tensor) -> Tensor:
        """Return where offsets lead from the cells' centres, (B, rows * columns, 2) in [-1, 1].

        An offset of 1 leads to the centre of the next cell.
        """
        sides = offsets.new_tensor(self.grid_size[::-1])
        return 2 / sides * (self.cells + 0.5 + offsets) - 1


def grid_of_cells(image_size: tuple[int, int], cell_size: int) -> tuple[int, int]:
    """Return the (rows, columns) of cells that fill an image.

    Raises:
        UsageError: they do not fill it.
    """
    height, width = image_size
    if cell_size < 1 or height % cell_size or width % cell_size:
        raise UsageError(
            f"cells of {cell_size} pixels do not fill frames of {height}x{width}: "
            "choose a cell_size that divides both sides"
        )
    return height // cell_size, width // cell_size


def cell_indices(grid_size: tuple[int, int]) -> Tensor:
    """Return (column, row) of each cell, row by row, float (rows * columns, 2).

    >>> cell_indices((1, 2))
    tensor([[0., 0.],
            [1., 0.]])
    """
    y, x = torch.meshgrid(*(torch.arange(n).float() for n in grid_size), indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)
