"""The public code's numbers, on random weights: before, while and after slots are added."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
import torch
from slot_parity import adam_steps, close, parts, same_gradients, same_terms, same_weights

from ocrl.encoders import SlotCurri
from ocrl.modules.curriculum import GrowingInitializer

TERMS = {"reconstruction": "loss_featrec", "structure": "loss_ssim", "slot_contrast": "loss_ss"}
STAGES = [2, 4, 9]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("slotcurri_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> SlotCurri:
    initializer = GrowingInitializer(9, 16, training_steps=40)
    encoder = SlotCurri(*parts(initializer, img_size=70, depth=2))
    official.fill(encoder, reference["state_dict_fp16"])
    return encoder


def curriculum(encoder: SlotCurri) -> GrowingInitializer:
    initializer = encoder.recurrence.initializer
    assert isinstance(initializer, GrowingInitializer)
    return initializer


@pytest.mark.parametrize("num_slots", STAGES)
def test_forward_with_as_many_slots_as_take_part(encoder, reference, num_slots):
    expected = reference[f"slots_{num_slots}"]
    features = encoder.backbone_features(reference["video_uint8"])
    tokens = encoder.projection(features)
    curriculum(encoder).step.fill_(expected["step"])
    slots = encoder.recurrence(tokens, num_slots=curriculum(encoder).grow())
    decoded = encoder.decode(slots, features)
    close(features, reference["backbone_features"])
    close(tokens, reference["encoder_features"])
    close(slots.slots, expected["state"])
    close(slots.predicted, expected["state_predicted"])
    close(slots.attention, expected["grouping_masks"])
    close(decoded.reconstruction, expected["decoder_reconstruction"])
    close(decoded.masks.flatten(-2), expected["decoder_masks"])


@pytest.mark.parametrize("num_slots", STAGES)
def test_losses_and_gradients(encoder, reference, num_slots):
    expected = reference[f"slots_{num_slots}"]
    curriculum(encoder).step.fill_(expected["step"])
    losses = encoder.losses({"video": reference["video_uint8"]})
    same_terms(losses, expected["losses"], TERMS)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total_loss"], rel=1e-6)
    total.backward()
    same_gradients(encoder, expected["grads"])


@torch.inference_mode()
def test_whole_videos_forward_and_back(encoder, reference):
    expected, batch = reference["cycle"], {"video": reference["video_uint8"]}
    slots = encoder.eval().group_forward_and_back(encoder.backbone_features(batch["video"]))
    close(slots.slots, expected["state"])
    close(slots.attention, expected["grouping_masks"])
    close(encoder.segment(batch).flatten(-2), expected["decoder_masks"])
    close(encoder.reconstruct(batch).reconstruction, expected["decoder_reconstruction"])


@pytest.mark.parametrize("run", ["train3_two_to_four", "train3_four_to_nine"])
def test_three_steps_of_adam_in_which_slots_are_added(encoder, reference, run):
    expected, batch = reference[run], {"video": reference["video_uint8"]}
    initializer = curriculum(encoder)
    initializer.step.fill_(expected["first_step"])
    new = {"train3_two_to_four": slice(2, 4), "train3_four_to_nine": slice(4, 9)}[run]
    initializer.directions[new] = expected["directions"]
    norms, rates = expected["grad_norms_before_clip"], 3 * [expected["lr"]]
    for step, losses in enumerate(adam_steps(encoder, batch, rates, norms)):
        if step == 0:
            close(initializer.errors, expected["errors"], 1e-6)
        if step == 1:
            close(initializer.slots, expected["slots_after_growth"])
        same_terms(losses, expected["terms"][step], TERMS, 3e-6)
    same_weights(encoder, expected["params_after"], rounding=True)
