"""Convolutions of broadcast vectors against convolutions of vectors that are copied."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ocrl.modules.broadcast import BroadcastConv2d
from ocrl.modules.position import coordinate_maps


@pytest.mark.parametrize(("kernel_size", "padding"), [(1, 0), (3, 0), (3, 1), (5, 1), (5, 2)])
def test_it_is_a_convolution_of_copies_beside_the_places(kernel_size, padding):
    torch.manual_seed(0)
    conv = BroadcastConv2d(4, coordinate_maps((7, 9)), 6, kernel_size, padding).double()
    vectors = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    cells = torch.cat(
        [vectors[..., None, None].expand(-1, -1, 7, 9), conv.places.expand(3, -1, -1, -1)], dim=1
    )
    expected, actual = F.conv2d(cells, conv.weight, conv.bias, padding=padding), conv(vectors)
    torch.testing.assert_close(actual, expected)
    weights, leaves = torch.randn_like(expected), (vectors, conv.weight, conv.bias)
    for ours, theirs in zip(
        torch.autograd.grad(actual, leaves, weights),
        torch.autograd.grad(expected, leaves, weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
