from __future__ import annotations

import pytest
import torch
from torch import nn

from ocrl import UsageError
from ocrl.modules.decoders import (
    AutoregressiveDecoder,
    Decoder,
    FlatDecoder,
    MLPDecoder,
    SlotMixerDecoder,
    SpatialBroadcastDecoder,
)

GRID = (2, 4)


def make(kind: type[Decoder]) -> Decoder:
    torch.manual_seed(0)
    if kind is SpatialBroadcastDecoder:
        return SpatialBroadcastDecoder(4, 3, channels=[6, 6], strides=[2, 1], grid_size=GRID)
    if kind is FlatDecoder:
        return FlatDecoder(4, 3, GRID)
    if kind is AutoregressiveDecoder:
        return AutoregressiveDecoder(4, 3, GRID, num_blocks=2, num_heads=1)
    return kind(4, 3, [8, 8], GRID)


KINDS = [
    AutoregressiveDecoder,
    FlatDecoder,
    MLPDecoder,
    SlotMixerDecoder,
    SpatialBroadcastDecoder,
]


@pytest.fixture(params=KINDS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return make(request.param)


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(2, 5, 4), torch.randn(2, 5, 8).softmax(dim=1), torch.randn(2, 8, 3)


def test_masks_sum_to_one(decoder):
    decoded = decoder(*inputs())
    assert decoded.reconstruction.shape == (2, 8, 3)
    assert decoded.masks.min() >= 0
    torch.testing.assert_close(decoded.masks.sum(dim=1), torch.ones(2, 8))


def test_the_order_of_slots_does_not_matter(decoder):
    slots, attention, target = inputs()
    order = torch.tensor([3, 1, 4, 0, 2])
    plain = decoder(slots, attention, target)
    permuted = decoder(slots[:, order], attention[:, order], target)
    torch.testing.assert_close(permuted.reconstruction, plain.reconstruction)
    torch.testing.assert_close(permuted.masks, plain.masks[:, order])


@pytest.mark.parametrize("kind", [MLPDecoder, SlotMixerDecoder, SpatialBroadcastDecoder])
def test_positions_differ(kind):
    reconstruction = make(kind)(*inputs()).reconstruction
    assert (reconstruction[:, 0] - reconstruction[:, 5]).abs().max() > 1e-3


def test_the_loss_is_the_squared_error_of_the_reconstruction():
    decoder, arguments = make(MLPDecoder), inputs()
    expected = (decoder(*arguments).reconstruction - arguments[-1]).pow(2).mean()
    torch.testing.assert_close(decoder.loss(*arguments), expected)


def test_mlp_decoder_is_the_textbook_one():
    decoder = make(MLPDecoder)
    slots, attention, target = inputs()
    everywhere = decoder.mlp(slots.unsqueeze(2) + decoder.pos_emb)
    masks = everywhere[..., -1:].softmax(dim=1)
    decoded = decoder(slots, attention, target)
    torch.testing.assert_close(decoded.reconstruction, (masks * everywhere[..., :-1]).sum(dim=1))
    torch.testing.assert_close(decoded.masks, masks.squeeze(-1))


def test_broadcast_decoder_paints_slots_apart():
    decoder = make(SpatialBroadcastDecoder)
    slots, attention, target = inputs()
    decoded = decoder(slots, attention, target)
    alone = [decoder(slots[:, k : k + 1], attention, target).reconstruction for k in range(5)]
    blended = sum(decoded.masks[:, k, :, None] * image for k, image in enumerate(alone))
    torch.testing.assert_close(decoded.reconstruction, blended)


def test_flat_decoder_paints_one_constant_where_a_slot_looks():
    decoder = make(FlatDecoder)
    slots, _, target = inputs()
    chosen = torch.tensor([0, 0, 3, 1, 1, 4, 2, 0])
    attention = torch.nn.functional.one_hot(chosen, 5).float().T.expand(2, -1, -1)
    decoded = decoder(slots, attention, target)
    torch.testing.assert_close(decoded.reconstruction, decoder.to_constant(slots)[:, chosen])
    error = (decoded.reconstruction - target).pow(2)
    likelihood = error.sum(dim=-1).mean() / (2 * 0.5**2)
    expected = 0.5 * (error.mean() + likelihood)
    torch.testing.assert_close(decoder.loss(slots, attention, target), expected)


def test_an_image_must_be_divisible_by_the_strides():
    with pytest.raises(UsageError, match="divisible by their product 4"):
        SpatialBroadcastDecoder(4, 3, channels=[6, 6], strides=[2, 2], grid_size=(6, 8))


def test_autoregressive_decoder_sees_the_patches_before_and_no_others():
    decoder = make(AutoregressiveDecoder)
    slots, attention, target = inputs()
    changed = target.clone()
    changed[:, 4] += 1
    plain, other = (decoder(slots, attention, x).reconstruction for x in (target, changed))
    torch.testing.assert_close(other[:, :5], plain[:, :5])
    assert all((other[:, n] - plain[:, n]).abs().max() > 1e-4 for n in (5, 6, 7))


def test_autoregressive_decoder_is_the_pre_norm_transformer_decoder_of_torch():
    torch.manual_seed(0)
    decoder = AutoregressiveDecoder(4, 8, GRID, num_blocks=2, num_heads=2)
    theirs = nn.TransformerDecoderLayer(8, 2, 32, dropout=0.0, batch_first=True, norm_first=True)
    theirs = nn.TransformerDecoder(theirs, num_layers=2)
    names = {
        "self_attn.in_proj_": "self_attn.qkv.",
        "multihead_attn.": "cross_attn.",
        "linear1.": "feed_forward.0.",
        "linear2.": "feed_forward.2.",
    }
    ours, weights = decoder.blocks.state_dict(), {}
    for name in theirs.state_dict():
        source = name.removeprefix("layers.")
        for their_part, our_part in names.items():
            source = source.replace(their_part, our_part)
        weights[name] = ours[source]
    theirs.load_state_dict(weights)
    slots, target = torch.randn(2, 3, 4), torch.randn(2, 8, 8)
    shifted = torch.cat([decoder.first_patch.expand(2, -1, -1), target[:, :-1]], dim=1)
    expected = theirs(
        decoder.from_target(shifted),
        decoder.from_slots(slots),
        nn.Transformer.generate_square_subsequent_mask(8),
        tgt_is_causal=True,
    )
    decoded = decoder(slots, torch.zeros(2, 3, 8), target)
    torch.testing.assert_close(decoded.reconstruction, expected)


def test_a_bounded_painter_stays_within_the_colours():
    torch.manual_seed(0)
    options = {"channels": [6], "strides": [2], "grid_size": GRID}
    free, bounded = (SpatialBroadcastDecoder(4, 3, **options, bounded=b) for b in (False, True))
    bounded.load_state_dict(free.state_dict())
    slots, attention, target = inputs()
    painted = [decoder(100 * slots, attention, target) for decoder in (free, bounded)]
    assert painted[0].reconstruction.abs().max() > 1
    assert painted[1].reconstruction.abs().max() <= 1
    torch.testing.assert_close(painted[1].masks, painted[0].masks)
    single = [decoder(100 * slots[:, :1], attention, target) for decoder in (free, bounded)]
    torch.testing.assert_close(single[1].reconstruction, single[0].reconstruction.tanh())


def test_a_renderer_needs_a_width():
    with pytest.raises(UsageError, match="hidden_dims"):
        SlotMixerDecoder(4, 3, [], GRID)
