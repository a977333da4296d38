from __future__ import annotations

import pytest
import torch
from torch import nn

from ocrl import UsageError
from ocrl.modules.transformer import Attention, Transformer, TransformerBlock

NAMES = {
    "self_attn.qkv.weight": "self_attn.in_proj_weight",
    "self_attn.qkv.bias": "self_attn.in_proj_bias",
}


def randomise(module: nn.Module) -> None:
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data = torch.randn_like(parameter) * 0.3


@pytest.mark.parametrize("norm_order", ["pre", "post"])
def test_a_block_is_torch_s_own(norm_order):
    block = TransformerBlock(8, 2, "inverse_sqrt_dim", norm_order)
    randomise(block)
    reference = nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, batch_first=True, norm_first=norm_order == "pre"
    )
    reference.load_state_dict({NAMES.get(k, k): v for k, v in block.state_dict().items()})
    inputs = torch.randn(2, 5, 8)
    torch.testing.assert_close(block(inputs), reference(inputs))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_to_a_memory_is_torch_s_own(causal):
    attention = Attention(8, 2, "inverse_sqrt_dim")
    randomise(attention)
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    reference.load_state_dict(
        {k.replace("qkv.", "in_proj_"): v for k, v in attention.state_dict().items()}
    )
    queries, memory = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    mask = torch.ones(5, 5).triu(1).bool() if causal else None
    expected, _ = reference(queries, memory, memory, attn_mask=mask)
    torch.testing.assert_close(attention(queries, memory, causal=causal), expected)


def test_the_official_scale_multiplies_where_the_paper_divides():
    official, paper = Attention(8, 2, "sqrt_dim"), Attention(8, 2, "inverse_sqrt_dim")
    randomise(official)
    paper.load_state_dict(official.state_dict())
    with torch.no_grad():
        paper.qkv.weight[:8] *= 4  # queries: sqrt(4) instead of 1 / sqrt(4)
        paper.qkv.bias[:8] *= 4
    inputs = torch.randn(2, 5, 8)
    torch.testing.assert_close(official(inputs), paper(inputs))


def test_slots_have_no_order():
    predictor = Transformer(8, num_blocks=2)
    slots, order = torch.randn(2, 5, 8), torch.randperm(5)
    torch.testing.assert_close(predictor(slots[:, order]), predictor(slots)[:, order])


def test_bad_switches_are_refused():
    with pytest.raises(UsageError, match="heads do not divide"):
        Attention(8, 3, "sqrt_dim")
    with pytest.raises(UsageError, match="logit_scale"):
        Attention(8, 2, "none")
    with pytest.raises(UsageError, match="norm_order"):
        TransformerBlock(8, 2, "sqrt_dim", "none")
