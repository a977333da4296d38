"""Glimpses against pixels read and written by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from ocrl.modules.spatial_transformer import crop, place

CORNERS = ("edges", "centres")


def pixel_of(points: np.ndarray, length: int, corners: str) -> np.ndarray:
    """Return which pixel, counted from the centre of the first, lies at points in [-1, 1]."""
    if corners == "edges":
        return (points + 1) / 2 * length - 0.5
    return (points + 1) / 2 * (length - 1)


def point_of(length: int, corners: str) -> np.ndarray:
    if corners == "edges":
        return (2 * np.arange(length) + 1) / length - 1
    return np.linspace(-1, 1, length)


def sample(image: np.ndarray, y: np.ndarray, x: np.ndarray, corners: str) -> np.ndarray:
    """Interpolate linearly at points, with zeros outside."""
    rows, columns = (
        pixel_of(axis, length, corners) for axis, length in zip((y, x), image.shape, strict=True)
    )
    grid = np.meshgrid(rows + 2, columns + 2, indexing="ij")
    return map_coordinates(np.pad(image, 2), grid, order=1, mode="constant")


@pytest.mark.parametrize("corners", CORNERS)
def test_a_crop_reads_where_its_box_is(corners):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 7, 9, generator=generator, dtype=torch.float64)
    boxes = torch.rand(2, 4, 4, generator=generator, dtype=torch.float64)
    boxes[..., 2:] = boxes[..., 2:] * 2 - 1
    glimpses = crop(images, boxes, (5, 6), corners=corners)
    assert glimpses.shape == (2, 4, 3, 5, 6)
    for b, k, c in np.ndindex(2, 4, 3):
        width, height, x, y = boxes[b, k].numpy()
        rows, columns = height * point_of(5, corners) + y, width * point_of(6, corners) + x
        expected = sample(images[b, c].numpy(), rows, columns, corners)
        np.testing.assert_allclose(glimpses[b, k, c].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("corners", CORNERS)
def test_what_is_placed_lies_where_its_box_is(corners):
    generator = torch.Generator().manual_seed(0)
    glimpses = torch.rand(2, 4, 3, 5, 6, generator=generator, dtype=torch.float64)
    boxes = torch.rand(2, 4, 4, generator=generator, dtype=torch.float64) + 0.2
    boxes[..., 2:] = boxes[..., 2:] * 2 - 1
    placed = place(glimpses, boxes, (7, 9), corners=corners, epsilon=0.0)
    assert placed.shape == (2, 4, 3, 7, 9)
    for b, k, c in np.ndindex(2, 4, 3):
        width, height, x, y = boxes[b, k].numpy()
        rows, columns = (point_of(7, corners) - y) / height, (point_of(9, corners) - x) / width
        inside = np.clip(rows, -1.9, 1.9), np.clip(columns, -1.9, 1.9)
        expected = sample(glimpses[b, k, c].numpy(), *inside, corners)
        np.testing.assert_allclose(placed[b, k, c].numpy(), expected, atol=1e-9)


def test_a_glimpse_of_what_was_placed_is_what_was_placed():
    glimpse = torch.rand(1, 1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    box = torch.tensor([[[0.5, 0.5, 0.25, -0.25]]])
    image = place(glimpse, box, (16, 16))
    torch.testing.assert_close(crop(image[:, 0], box, (8, 8)), glimpse)


def test_outside_may_be_the_border():
    image = torch.ones(1, 1, 4, 4)
    box = torch.tensor([[[1.0, 1.0, 2.0, 0.0]]])
    assert crop(image, box, (4, 4)).sum() == 0
    assert crop(image, box, (4, 4), padding="border").mean() == 1
