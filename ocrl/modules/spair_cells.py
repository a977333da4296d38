"""Cells of SPAIR: what each holds, the backbone that reads it, and heads that pass features on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ocrl.modules.mlp import MLP


class Cells(NamedTuple):
    """Latent variables of N cells, row by row.

    Attributes:
        presence_logit: (B, N, 1).
        presence: (B, N, 1), in (0, 1).
        boxes: (B, N, 4), see `ocrl.modules.spatial_transformer`.
        depth: (B, N, 1), larger is nearer.
        what: (B, N, D).
        box_logits: Gaussian (B, N, 4), what a box was made of: y, x, height, width.
        whats: Gaussian (B, N, D).
        depth_logits: Gaussian (B, N, 1).
    """

    presence_logit: Tensor
    presence: Tensor
    boxes: Tensor
    depth: Tensor
    what: Tensor
    box_logits: Normal
    whats: Normal
    depth_logits: Normal


class Head(nn.Module):
    """An MLP with two outputs: a latent's parameters, and features passed on to the next head."""

    def __init__(self, in_dim: int, dims: Sequence[int], out_dim: int, passed_dim: int) -> None:
        super().__init__()
        self.body = MLP(in_dim, dims[:-1], dims[-1], final_activation=True)
        self.out = nn.Linear(dims[-1], out_dim)
        self.passed = nn.Linear(dims[-1], passed_dim)

    def forward(self, *inputs: Tensor) -> tuple[Normal, Tensor]:
        """Return a Gaussian, its deviation below 2, and what is passed on."""
        features = self.body(torch.cat(inputs, dim=1))
        return bounded_gaussian(self.out(features)), self.passed(features)


def bounded_gaussian(parameters: Tensor) -> Normal:
    """Return the Gaussian of means and raw deviations (..., 2 D), which end up between 0 and 2."""
    mean, raw = parameters.chunk(2, dim=-1)
    return Normal(mean, 2 * raw.clamp(-10, 10).sigmoid(), validate_args=False)


def make_backbone(
    channels: int, strides: Sequence[int], dims: Sequence[int], feature_dim: int
) -> nn.Sequential:
    """Return 4x4 convolutions that stride, 1x1 ones, and a linear output for each cell.

    Args:
        channels: of the images.
        strides: of the 4x4 convolutions.
        dims: channels of all but the output.
        feature_dim: channels of the output.
    """
    layers: list[nn.Module] = []
    for i, (in_dim, dim) in enumerate(pairwise([channels, *dims])):
        kernel, stride = (4, strides[i]) if i < len(strides) else (1, 1)
        layers += [nn.Conv2d(in_dim, dim, kernel, stride), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(dims[-1], feature_dim, 1))


def cell_padding(strides: Sequence[int]) -> tuple[int, int, int, int]:
    """Return (left, right, top, bottom) that leave one output of 4x4 convolutions per cell."""
    field, step = 1, 1
    for stride in strides:
        field += 3 * step
        step *= stride
    before = (field - step) // 2
    return before, field - step - before, before, field - step - before
