"""Where a token lies in the image."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ocrl.errors import UsageError


def grid_coordinates(height: int, width: int) -> Tensor:
    """Return the (x, y) of the centres of a grid's cells, row by row, in (-1, 1).

    >>> grid_coordinates(1, 2)
    tensor([[-0.5000,  0.0000],
            [ 0.5000,  0.0000]])

    Returns:
        Float (height * width, 2).
    """
    grid_y, grid_x = torch.meshgrid(cell_centres(height), cell_centres(width), indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1).flatten(0, 1)


def cell_centres(number: int) -> Tensor:
    """Return the centres of so many cells side by side, float (number,) in (-1, 1).

    >>> cell_centres(4)
    tensor([-0.7500, -0.2500,  0.2500,  0.7500])
    """
    return (torch.arange(number) + 0.5) / number * 2 - 1


def fourier_features(coordinates: Tensor, num_frequencies: int) -> Tensor:
    """Return sines and cosines of coordinates in (-1, 1), from half a wave over the image upwards.

    >>> fourier_features(grid_coordinates(8, 8), num_frequencies=4).shape
    torch.Size([64, 16])

    Args:
        coordinates: (N, 2).
        num_frequencies: number of octaves.

    Returns:
        Float (N, 4 * num_frequencies).
    """
    frequencies = math.pi / 2 * 2.0 ** torch.arange(num_frequencies)
    angles = (coordinates.unsqueeze(-1) * frequencies).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def sine_positions(grid_size: tuple[int, int], dim: int) -> Tensor:
    """Return fixed codes of a grid's cells, for each coordinate as Vaswani et al. 2017.

        code = [sin(w_i r), cos(w_i r), sin(w_i c), cos(w_i c)],   w_i = 10000^(-4 i / dim)

    >>> sine_positions((8, 8), 16).shape
    torch.Size([64, 16])

    Args:
        grid_size: (height, width), row r and column c counted in cells.
        dim: width of a code, divisible by 4.

    Returns:
        Float (height * width, dim).

    Raises:
        UsageError: 4 does not divide the width.
    """
    if dim % 4:
        raise UsageError(f"position codes of width {dim}: choose a width divisible by 4")
    cells = torch.meshgrid(*(torch.arange(side) for side in grid_size), indexing="ij")
    frequencies = 10000.0 ** (-torch.arange(dim // 4) * 4 / dim)
    angles = [cell.flatten()[:, None] * frequencies for cell in cells]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=-1)


class PositionEmbedding(nn.Module):
    """Adds a linear map of a token's coordinates (Slot Attention, appendix E.2).

    Args:
        grid_size: (height, width) of the token grid.
        dim: width of the tokens.
    """

    coordinates: Tensor

    def __init__(self, grid_size: tuple[int, int], dim: int) -> None:
        super().__init__()
        self.register_buffer("coordinates", grid_coordinates(*grid_size), persistent=False)
        self.linear = nn.Linear(2, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., height * width, dim) to the same shape."""
        position: Tensor = self.linear(self.coordinates)
        return tokens + position


class EdgeDistanceEmbedding(nn.Module):
    """Adds a linear map of a token's distances from the left, top, right and bottom edge.

    As `PositionEmbedding`, in the four numbers of Slot Attention's own code and of STEVE's.

    Args:
        grid_size: (height, width) of the token grid.
        dim: width of the tokens.
    """

    distances: Tensor

    def __init__(self, grid_size: tuple[int, int], dim: int) -> None:
        super().__init__()
        near = (grid_coordinates(*grid_size) + 1) / 2
        self.register_buffer("distances", torch.cat([near, 1 - near], dim=1), persistent=False)
        self.linear = nn.Linear(4, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., height * width, dim) to the same shape."""
        position: Tensor = self.linear(self.distances)
        return tokens + position


def coordinate_maps(size: tuple[int, int]) -> Tensor:
    """Return the row and the column of each cell of a grid, in [-1, 1], (2, height, width).

    As spatial broadcasting has them (Watters et al. 2019, arXiv 1901.07017): -1 and 1 are the first
    and the last row or column.

    >>> coordinate_maps((1, 3))[1]
    tensor([[-1.,  0.,  1.]])
    """
    rows, columns = (torch.linspace(-1, 1, side) for side in size)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))


def cosine_waves(size: tuple[int, int], num_frequencies: int = 3) -> Tensor:
    """Return products of cosines over a grid, without the constant one.

        cos(i x) cos(j y),   i, j < num_frequencies,   x, y from 0 to pi

    >>> cosine_waves((16, 16)).shape
    torch.Size([8, 16, 16])
    """
    row, column = (coordinate_maps(size) + 1) / 2 * math.pi
    frequencies = range(num_frequencies)
    waves = [torch.cos(i * column) * torch.cos(j * row) for i in frequencies for j in frequencies]
    return torch.stack(waves[1:])
