from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ocrl import UsageError
from ocrl.modules.slot_attention import SlotAttention


@pytest.fixture(params=[("normalised", True), ("normalised", False), ("raw", True)])
def attention(request: pytest.FixtureRequest) -> SlotAttention:
    torch.manual_seed(0)
    gru_hidden, mlp = request.param
    module = SlotAttention(6, 4, gru_hidden=gru_hidden, mlp=mlp)
    for parameter in module.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return module


def algorithm_1(module: SlotAttention, features: Tensor, slots: Tensor, iterations: int) -> Tensor:
    """Slot Attention for one image, slot by slot and token by token."""
    tokens = [module.norm_features(token) for token in features]
    for _ in range(iterations):
        queries = [module.to_q(module.norm_slots(slot)) for slot in slots]
        shares = []
        for token in tokens:
            key = module.to_k(token)
            logits = torch.stack([query @ key / 4**0.5 for query in queries])
            shares.append(logits.exp() / logits.exp().sum())
        new = []
        for k, slot in enumerate(slots):
            weight = sum(share[k] for share in shares)
            update = sum(
                share[k] / weight * module.to_v(token)
                for share, token in zip(shares, tokens, strict=True)
            )
            hidden = module.norm_slots(slot) if module.gru_hidden == "normalised" else slot
            new.append(module.mlp(module.gru(update[None], hidden[None])[0]))
        slots = torch.stack(new)
    return slots


def test_is_algorithm_1(attention):
    features, slots = torch.randn(2, 5, 6), torch.randn(2, 3, 4)
    actual, _, _ = attention(features, slots, 3)
    for row in range(2):
        expected = algorithm_1(attention, features[row], slots[row], 3)
        torch.testing.assert_close(actual[row], expected, atol=1e-5, rtol=0)


def test_slots_compete(attention):
    _, shares, logits = attention(torch.randn(2, 5, 6), torch.randn(2, 3, 4), 2)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 5))
    torch.testing.assert_close(shares, logits.exp() / logits.exp().sum(dim=1, keepdim=True))


def test_permuting_slots_permutes_the_result(attention):
    features, slots = torch.randn(2, 5, 6), torch.randn(2, 3, 4)
    order = torch.tensor([2, 0, 1])
    plain, shares, _ = attention(features, slots, 2)
    permuted, permuted_shares, _ = attention(features, slots[:, order], 2)
    torch.testing.assert_close(permuted, plain[:, order])
    torch.testing.assert_close(permuted_shares, shares[:, order])


def test_the_order_of_tokens_does_not_matter(attention):
    features, slots = torch.randn(2, 5, 6), torch.randn(2, 3, 4)
    order = torch.randperm(5)
    plain, shares, _ = attention(features, slots, 2)
    permuted, permuted_shares, _ = attention(features[:, order], slots, 2)
    torch.testing.assert_close(permuted, plain)
    torch.testing.assert_close(permuted_shares, shares[:, :, order])


def test_an_unknown_variant_is_refused():
    with pytest.raises(UsageError, match="choose 'normalised' or 'raw'"):
        SlotAttention(6, 4, gru_hidden="plain")
