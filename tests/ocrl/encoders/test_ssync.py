"""What SSync teaches to whom, and from when on."""

from __future__ import annotations

import pytest
import torch

import ocrl
from ocrl import UsageError
from ocrl.encoders import SSync
from ocrl.modules.decoders import MLPDecoder
from ocrl.modules.initializers import LearnedInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.pseudo_labels import boundary_and_interior
from ocrl.modules.recurrence import SlotState
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.modules.transformer import Transformer


def make(training_steps: int = 10, **options: float) -> SSync:
    torch.manual_seed(0)
    encoder = ocrl.create_encoder(
        "ssync",
        backbone="vit_tiny_patch16_224",
        image_size=(12, 12),
        pretrained=False,
        backbone_options={"patch_size": 2, "embed_dim": 8, "num_heads": 2, "depth": 1},
        num_slots=3,
        slot_dim=8,
        decoder_dims=[8],
        training_steps=training_steps,
        **options,
    )
    assert isinstance(encoder, SSync)
    return encoder


def apart() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (1, 2, 3, 6, 6) of encoder and decoder who see an edge a column apart."""
    logits = torch.full((2, 1, 2, 3, 6, 6), -1.0)
    logits[:, ..., 2, :, :] = -4.0
    for which, column in enumerate((3, 4)):
        logits[which, :, :, 0, :, :column] = 2.0
        logits[which, :, :, 1, :, column:] = 3.0
    return logits.unbind()


def test_masks_learn_at_the_encoders_boundaries_and_attention_inside_the_decoders():
    logits, alpha = (x.requires_grad_() for x in apart())
    slots = torch.zeros(1, 2, 3, 8)
    state = SlotState(slots, logits.softmax(2).flatten(-2), slots, logits.flatten(-2))
    boundary, interior = make().synergy(state, alpha.softmax(2))
    (to_masks,) = torch.autograd.grad(boundary, alpha, retain_graph=True)
    (to_attention,) = torch.autograd.grad(interior, logits, retain_graph=True)
    # nobody learns from their own labels
    assert torch.autograd.grad(boundary, logits, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(interior, alpha, allow_unused=True) == (None,)
    where, _ = boundary_and_interior(logits.argmax(2))
    assert torch.equal(to_masks.abs().sum(2) > 0, where)
    assert where[0, 0, 0].tolist() == [False, False, True, True, False, False]
    _, where = boundary_and_interior(alpha.argmax(2))
    assert torch.equal(to_attention.abs().sum(2) > 0, where)
    assert where[0, 0, 0].tolist() == [True, True, True, False, False, True]


def test_terms_by_hand():
    logits, alpha = apart()
    slots = torch.zeros(1, 2, 3, 8)
    state = SlotState(slots, logits.softmax(2).flatten(-2), slots, logits.flatten(-2))
    boundary, interior = make().synergy(state, alpha.softmax(2))

    def error(values, label):
        shares = [2.718281828459045**v for v in values]
        shares = [s / sum(shares) for s in shares]
        return sum((s - (k == label)) ** 2 for k, s in enumerate(shares)) / 3

    left, right = (2.0, -1.0, -4.0), (-1.0, 3.0, -4.0)
    # the encoder's edge runs between columns 2 and 3; the decoder has both on the left
    assert boundary.item() == pytest.approx((error(left, 0) + error(left, 1)) / 2)
    # inside for the decoder are columns 0 to 2 and 5, where the encoder agrees
    assert interior.item() == pytest.approx((3 * error(left, 0) + error(right, 1)) / 4)


def test_slots_on_one_thing_are_taught_as_one():
    logits, alpha = apart()
    logits[:, :, 2] = logits[:, :, 0] + 0.5 * torch.tensor([1.0, -1.0]).repeat(3)  # in stripes
    slots = torch.zeros(1, 2, 3, 8)
    state = SlotState(slots, logits.softmax(2).flatten(-2), slots, logits.flatten(-2))
    assert sorted(logits.argmax(2).unique().tolist()) == [0, 1, 2]
    alpha.requires_grad_()
    merged, _ = make(merge_threshold=0.7).synergy(state, alpha.softmax(2))
    (to_masks,) = torch.autograd.grad(merged, alpha)
    # no edge between the stripes is taught, only the one between columns 2 and 3
    assert (to_masks.abs().sum(2) > 0)[0, 0, 0].tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize(("training_steps", "first"), [(10, 3), (11, 4), (1, 1)])
def test_labels_are_taught_from_three_tenths_of_training_on(training_steps, first):
    encoder, due = make(training_steps).train(), []
    batch = {"video": torch.randint(0, 256, (2, 2, 12, 12, 3), dtype=torch.uint8)}
    for _ in range(6):
        losses = encoder.losses(batch)
        due.append((losses["boundary"] > 0).item() and (losses["interior"] > 0).item())
    assert due == [step >= first for step in range(6)]
    encoder.eval().losses(batch)
    assert encoder.trained_steps == 6  # validation counts no steps


def test_a_threshold_that_is_no_overlap_is_one_line():
    with pytest.raises(UsageError, match="an overlap is above 0") as caught:
        make(merge_threshold=1.5)
    assert "\n" not in str(caught.value)


def test_grids_that_differ_are_one_line():
    encoder = make()
    with pytest.raises(UsageError, match="give both one grid") as caught:
        SSync(
            encoder.backbone,
            MLP(8, [8], 8),
            LearnedInitializer(3, 8),
            SlotAttention(8, 8),
            Transformer(8),
            MLPDecoder(8, 8, [8], (3, 3)),
            FeatureTarget(),
            merge_threshold=0.7,
            label_free_steps=0,
        )
    assert "\n" not in str(caught.value)
