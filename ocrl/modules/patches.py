"""Patches of images, and what a transformer fills in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Added to the variance of a patch's pixels before its root is taken.
EPS = 1e-6


def patches_of(images: Tensor, size: int) -> Tensor:
    """Cut images (B, 3, H, W) into patches (B, N, 3 * size ** 2), row by row."""
    return F.pixel_unshuffle(images, size).flatten(2).mT


def images_of_patches(patches: Tensor, size: int, grid_size: tuple[int, int]) -> Tensor:
    """Put patches (B, N, 3 * size ** 2) of a grid together to images (B, 3, H, W).

    >>> images = torch.rand(2, 3, 8, 12)
    >>> torch.equal(images_of_patches(patches_of(images, 4), 4, (2, 3)), images)
    True
    """
    return F.pixel_shuffle(torch.unflatten(patches.mT, -1, grid_size), size)


def mean_and_deviation(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the pixels of each patch (..., P), (..., 1) each."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + EPS).sqrt()


def standardise(patches: Tensor) -> Tensor:
    """Scale the pixels of each patch (..., P) to mean 0 and variance 1.

    >>> standardise(torch.tensor([1.0, 2.0, 3.0]))
    tensor([-1.0000,  0.0000,  1.0000])
    """
    mean, deviation = mean_and_deviation(patches)
    return (patches - mean) / deviation
