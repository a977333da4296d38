"""Spatial transformer: glimpses cut out of images, and put back in their place.

A box is (width, height, x, y): its size as a fraction of the image, and its centre with -1 at the
left or upper and 1 at the right or lower end. A point g of the glimpse, in [-1, 1], lies at

    image = size * g + centre

of the image. ``crop`` reads along this map, ``place`` along its inverse. What lies outside is zero.

Implementations differ in what -1 and 1 mean, and some take the inverse map's numbers for the box:

- ``corners="edges"``: the outer edges of the image (SPACE, SCALOR, AIR in Pyro, SPAIR_pytorch).
- ``corners="centres"``: the centres of the outermost pixels (Sonnet's warper: AIR by Kosiorek,
  SQAIR, auto_yolo).
- AIR in Pyro has (s, x, y), the inverse map's scale and shift: the box (1/s, 1/s, -x/s, -y/s).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Corners = Literal["edges", "centres"]


def crop(
    images: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    corners: Corners = "edges",
    padding: Literal["zeros", "border"] = "zeros",
) -> Tensor:
    """Cut K glimpses out of each image (Jaderberg et al. 2015, arXiv 1506.02025).

    >>> image = torch.arange(16.0).view(1, 1, 4, 4)
    >>> upper_right = torch.tensor([[[0.5, 0.5, 0.5, -0.5]]])
    >>> crop(image, upper_right, (2, 2))
    tensor([[[[[2., 3.],
               [6., 7.]]]]])

    Args:
        images: (B, C, H, W).
        boxes: (B, K, 4), see above.
        size: (h, w) of a glimpse.
        corners: what -1 and 1 mean.
        padding: what lies outside of the image.

    Returns:
        (B, K, C, h, w).
    """
    points = boxes[..., None, None, :2] * _points(size, corners, boxes) + boxes[..., None, None, 2:]
    # All glimpses of an image are one tall picture: the image need not be copied for each.
    aligned = corners == "centres"
    tall = F.grid_sample(images, points.flatten(1, 2), padding_mode=padding, align_corners=aligned)
    return torch.unflatten(tall, 2, (boxes.shape[1], size[0])).transpose(1, 2)


def place(
    glimpses: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    corners: Corners = "edges",
    epsilon: float = 1e-9,
) -> Tensor:
    """Put K glimpses in their places, each in an image of its own.

    >>> glimpse = torch.ones(1, 1, 1, 2, 2)
    >>> place(glimpse, torch.tensor([[[0.5, 0.5, 0.5, -0.5]]]), (4, 4))[0, 0, 0]
    tensor([[0., 0., 1., 1.],
            [0., 0., 1., 1.],
            [0., 0., 0., 0.],
            [0., 0., 0., 0.]])

    Args:
        glimpses: (B, K, C, h, w).
        boxes: (B, K, 4), see above.
        size: (H, W) of the images.
        corners: what -1 and 1 mean.
        epsilon: added to a box's size before it is divided by.

    Returns:
        (B, K, C, H, W).
    """
    channels, height, width = glimpses.shape[2:]
    rows, columns = placing_weights(boxes, (height, width), size, corners, epsilon)
    wide = torch.unflatten(glimpses.flatten(2, 3) @ columns.mT, 2, (channels, height))
    return rows.unsqueeze(2) @ wide


def placing_weights(
    boxes: Tensor,
    glimpse_size: tuple[int, int],
    size: tuple[int, int],
    corners: Corners = "edges",
    epsilon: float = 1e-9,
) -> tuple[Tensor, Tensor]:
    """Return how much each row and column of an image has of each of a glimpse placed in it.

    Boxes are upright: what is placed is ``rows @ glimpse @ columns.T``.

    >>> rows, columns = placing_weights(torch.tensor([0.5, 1.0, 0.5, 0.0]), (2, 2), (2, 4))
    >>> columns
    tensor([[0., 0.],
            [0., 0.],
            [1., 0.],
            [0., 1.]])

    Args:
        boxes: (..., 4), see above.
        glimpse_size: (h, w).
        size: (H, W) of the image.
        corners: what -1 and 1 mean.
        epsilon: added to a box's size before it is divided by.

    Returns:
        Rows (..., H, h) and columns (..., W, w), in [0, 1].
    """
    weights = []
    for axis, inner, outer in ((1, glimpse_size[0], size[0]), (0, glimpse_size[1], size[1])):
        points = _centres(outer, corners, boxes) - boxes[..., 2 + axis, None]
        points = points / (boxes[..., axis, None] + epsilon)
        if corners == "centres":
            pixels = (points + 1) / 2 * (inner - 1)
        else:
            pixels = ((points + 1) * inner - 1) / 2
        numbers = torch.arange(inner, dtype=boxes.dtype, device=boxes.device)
        weights.append((1 - (pixels.unsqueeze(-1) - numbers).abs()).relu())
    return weights[0], weights[1]


def _points(size: tuple[int, int], corners: Corners, like: Tensor) -> Tensor:
    """Return the (x, y) of the centres of a grid's pixels, (h, w, 2)."""
    y, x = torch.meshgrid(*(_centres(length, corners, like) for length in size), indexing="ij")
    return torch.stack([x, y], dim=-1)


def _centres(length: int, corners: Corners, like: Tensor) -> Tensor:
    """Return where the centres of so many pixels in a row lie, (length,) in [-1, 1]."""
    if corners == "centres":
        return torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device)
    steps = torch.arange(length, dtype=like.dtype, device=like.device)
    return (2 * steps + 1) / length - 1
