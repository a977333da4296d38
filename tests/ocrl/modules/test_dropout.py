"""Dropout against its probability, attention with it against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ocrl.modules.dropout import Dropout, dropout
from ocrl.modules.transformer import look_back


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_as_many_numbers_are_zero_as_it_says_and_the_mean_stays(probability):
    torch.manual_seed(0)
    inputs = torch.ones(401, 1001, requires_grad=True)
    dropped = dropout(inputs, probability)
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.005)
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))
    (gradient,) = torch.autograd.grad(dropped.sum(), inputs)
    torch.testing.assert_close(gradient, dropped.detach())
    together = (dropped[:, :-1] == 0) & (dropped[:, 1:] == 0)  # neighbours share a draw
    assert together.float().mean().item() == pytest.approx(probability**2, abs=0.005)


def test_outside_training_nothing_is_dropped():
    inputs, layer = torch.ones(10, 10), Dropout(0.5)
    assert (layer(inputs) == 0).any()
    assert torch.equal(layer.eval()(inputs), inputs)


@pytest.mark.parametrize("length", [1, 5, 16])
def test_attention_that_looks_back_is_torch_s_own(length):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, length, 8)
    expected = F.scaled_dot_product_attention(q, k, v, scale=0.3, is_causal=True)
    torch.testing.assert_close(look_back(q, k, v, 0.3, 0.0), expected)
    draws = torch.stack([look_back(q, k, v, 0.3, 0.2) for _ in range(1000)])
    torch.testing.assert_close(draws.mean(0), expected, atol=0.15, rtol=0)
    assert (draws[:, 0, 0, 0] == 0).all(-1).float().mean().item() == pytest.approx(0.2, abs=0.05)
