"""The public code's numbers, on the random weights and clips of SlotCurri's recording."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
import torch
from slot_parity import adam_steps, close, parts, same_gradients, same_terms, same_weights

from ocrl.encoders import SSync
from ocrl.modules.initializers import LearnedInitializer
from ocrl.modules.pseudo_labels import boundary_and_interior, rename, same_thing

TERMS = {
    "reconstruction": "loss_featrec",
    "slot_contrast": "loss_ss",
    "boundary": "loss_grp2deccls",
    "interior": "loss_dec2grpcls",
}
MERGES = ["merge_0.65", "merge_0.7", "merge_0.8"]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("ssync_mini")


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return goldens.load("slotcurri_mini")


@pytest.fixture
def batch(recorded: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {"video": recorded["video_uint8"]}


@pytest.fixture
def encoder(recorded: dict[str, Any]) -> SSync:
    system = parts(LearnedInitializer(9, 16), img_size=70, depth=2)
    encoder = SSync(*system, merge_threshold=0.7, label_free_steps=3)
    official.fill(encoder, recorded["state_dict_fp16"])
    return encoder


@torch.no_grad()
def test_labels_of_encoder_and_decoder(encoder, reference, batch):
    slots = encoder.group(encoder.backbone_features(batch["video"]))
    masks = encoder.reconstruct(batch).masks
    close(slots.logits, reference["nosoftmax_dots"])
    seen, drawn = slots.attention.view_as(masks).argmax(dim=2), masks.argmax(dim=2)
    assert torch.equal(seen, reference["original_grp_labels"].long())
    assert torch.equal(drawn, reference["original_dec_labels"].long())


@pytest.mark.parametrize("merge", MERGES)
def test_labels_are_merged_and_sorted_alike(reference, merge):
    expected = reference[merge]
    seen, drawn = (reference[f"original_{of}_labels"].long() for of in ("grp", "dec"))
    names = same_thing(reference["nosoftmax_dots"], seen, expected["threshold"])
    seen, drawn = rename(seen, names), rename(drawn, names)
    assert torch.equal(seen, expected["grp_labels"].long())
    assert torch.equal(drawn, expected["dec_labels"].long())
    assert torch.equal(boundary_and_interior(seen)[0], expected["is_boundary"])
    assert torch.equal(boundary_and_interior(drawn)[1], expected["is_not_boundary"])


@pytest.mark.parametrize("merge", MERGES)
def test_losses_and_gradients(encoder, reference, batch, merge):
    expected = reference[merge]
    encoder.merge_threshold = expected["threshold"]
    encoder.trained_steps.fill_(3)
    losses = encoder.losses(batch)
    same_terms(losses, expected["losses"], TERMS)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total_loss"], rel=1e-6)
    total.backward()
    same_gradients(encoder, expected["grads"])


def test_three_steps_of_adam_from_the_second_of_which_labels_are_taught(encoder, reference, batch):
    expected = reference["train3"]
    encoder.trained_steps.fill_(expected["first_step"])
    norms, rates = expected["grad_norms_before_clip"], 3 * [expected["lr"]]
    for step, losses in enumerate(adam_steps(encoder, batch, rates, norms)):
        same_terms(losses, expected["terms"][step], TERMS, 3e-6)
    same_weights(encoder, expected["params_after"], rounding=True)
