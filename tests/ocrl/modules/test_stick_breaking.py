"""Masks against a loop over pieces."""

from __future__ import annotations

import torch

from ocrl.modules.stick_breaking import break_off, stick_breaking

LOGITS = 3 * torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_pieces_are_shares_of_what_is_left():
    left = torch.ones(2, 5, dtype=torch.float64)
    pieces = []
    for logit in LOGITS.unbind(1):
        share = 1 / (1 + torch.exp(-logit))
        pieces.append(left * share)
        left = left - pieces[-1]
    expected = torch.stack([*pieces, left], 1)
    torch.testing.assert_close(stick_breaking(LOGITS).exp(), expected)
    torch.testing.assert_close(expected.sum(1), torch.ones(2, 5, dtype=torch.float64))
    other_way = stick_breaking(LOGITS.movedim(1, 2), dim=2).movedim(2, 1)
    torch.testing.assert_close(other_way, stick_breaking(LOGITS))


def test_one_break_after_the_other_is_the_same():
    scope = torch.zeros(2, 5, dtype=torch.float64)
    masks = []
    for logit in LOGITS.unbind(1):
        mask, scope = break_off(scope, logit)
        masks.append(mask)
    torch.testing.assert_close(torch.stack([*masks, scope], 1), stick_breaking(LOGITS))


def test_extreme_logits_stay_finite():
    logs = stick_breaking(torch.tensor([[200.0, -200.0]]))
    assert torch.isfinite(logs).all()
    torch.testing.assert_close(logs.exp(), torch.tensor([[1.0, 0.0, 0.0]]))
