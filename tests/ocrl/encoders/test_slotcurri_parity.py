"""The public code's numbers, on random weights: before, while and after slots are added."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
import torch

from ocrl.encoders import SlotCurri
from ocrl.modules.backbones import TimmBackbone
from ocrl.modules.curriculum import GrowingInitializer
from ocrl.modules.decoders import MLPDecoder
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.modules.transformer import Transformer

TERMS = {"reconstruction": "loss_featrec", "structure": "loss_ssim", "slot_contrast": "loss_ss"}
STAGES = [2, 4, 9]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("slotcurri_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> SlotCurri:
    encoder = SlotCurri(
        TimmBackbone(
            "vit_small_patch14_dinov2",
            (70, 70),
            pretrained=False,
            model_kwargs={"img_size": 70, "embed_dim": 32, "num_heads": 2, "depth": 2},
        ),
        MLP(32, [64], 16, layer_norm=True),
        GrowingInitializer(9, 16, training_steps=40),
        SlotAttention(16, 16),
        Transformer(16),
        MLPDecoder(16, 32, [64, 64, 64], (5, 5)),
        FeatureTarget(),
    )
    official.fill(encoder, reference["state_dict_fp16"])
    return encoder


def curriculum(encoder: SlotCurri) -> GrowingInitializer:
    initializer = encoder.recurrence.initializer
    assert isinstance(initializer, GrowingInitializer)
    return initializer


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def same_terms(
    losses: dict[str, torch.Tensor], expected: dict[str, float], tolerance: float = 1e-6
) -> None:
    assert losses.keys() == TERMS.keys()
    for ours, theirs in TERMS.items():
        assert losses[ours].item() == pytest.approx(expected[theirs], rel=tolerance), ours


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
    same_terms(losses, expected["losses"])
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total_loss"], rel=1e-6)
    total.backward()
    actual, gradients = official.gradients(encoder), official.renamed(expected["grads"])
    assert actual.keys() == gradients.keys()
    for key, gradient in gradients.items():
        close(actual[key], gradient, 1e-5 * max(1.0, gradient.abs().max().item()))


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
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=expected["lr"])
    for step in range(3):
        losses = encoder.losses(batch)
        if step == 0:
            close(initializer.errors, expected["errors"], 1e-6)
        if step == 1:
            close(initializer.slots, expected["slots_after_growth"])
        same_terms(losses, expected["terms"][step], 3e-6)
        optimizer.zero_grad()
        encoder.total_loss(losses).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        optimizer.step()
        assert norm.item() == pytest.approx(expected["grad_norms_before_clip"][step], rel=1e-5)
    trained = dict(encoder.named_parameters())
    for key, value in official.renamed(expected["params_after"]).items():
        difference = trained[key].detach() - value
        if key.endswith("qkv.bias"):
            # that of the keys moves no attention: its gradient is noise, which Adam makes large
            difference[16:32] = 0
        close(difference, torch.zeros_like(value), 2e-5)
