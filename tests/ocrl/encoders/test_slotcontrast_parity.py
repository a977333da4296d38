"""The official code's numbers, on random weights: forward, losses, gradients, three Adam steps."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
from slot_parity import adam_steps, close, parts, same_weights

from ocrl.encoders import SlotContrast
from ocrl.modules.initializers import LearnedInitializer


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("slotcontrast_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> SlotContrast:
    encoder = SlotContrast(*parts(LearnedInitializer(5, 16), img_size=56))
    official.fill(encoder, reference["state_dict_fp16"])
    return encoder


def test_frames_are_normalised_alike(encoder, reference):
    images = encoder.backbone.normalise(reference["video_uint8"].flatten(0, 1))
    close(images, reference["video"].flatten(0, 1), 1e-5)


def test_forward(encoder, reference):
    videos = reference["video_uint8"]
    features = encoder.backbone_features(videos)
    slots, attention, predicted, _ = encoder.group(features)
    decoded = encoder.reconstruct({"video": videos})
    close(features, reference["backbone_features"], 1e-5)
    close(encoder.projection(features), reference["encoder_features"], 1e-5)
    close(slots, reference["state"], 1e-5)
    close(predicted, reference["state_predicted"], 1e-5)
    close(attention, reference["grouping_masks"], 1e-5)
    close(decoded.reconstruction, reference["decoder_reconstruction"], 1e-5)
    close(decoded.masks.flatten(-2), reference["decoder_masks"], 1e-5)


def test_losses(encoder, reference):
    losses = encoder.losses({"video": reference["video_uint8"]})
    assert losses["reconstruction"].item() == pytest.approx(
        reference["losses"]["loss_featrec"], abs=1e-6
    )
    assert losses["slot_contrast"].item() == pytest.approx(reference["losses"]["loss_ss"], abs=1e-6)
    assert encoder.total_loss(losses).item() == pytest.approx(reference["total_loss"], abs=1e-6)


def test_gradients(encoder, reference):
    encoder.total_loss(encoder.losses({"video": reference["video_uint8"]})).backward()
    actual, expected = official.gradients(encoder), official.renamed(reference["grads"])
    assert actual.keys() == expected.keys()
    for key, gradient in expected.items():
        close(actual[key], gradient, 2e-5)


@pytest.mark.parametrize("run", ["train3_schedule", "train3_constant"])
def test_three_steps_of_adam(encoder, reference, run):
    expected, batch = reference[run], {"video": reference["video_uint8"]}
    steps = adam_steps(encoder, batch, expected["lrs"], expected["grad_norms_before_clip"], 1e-4)
    for step, losses in enumerate(steps):
        total = encoder.total_loss(losses).item()
        assert total == pytest.approx(expected["losses"][step], abs=1e-5)
    same_weights(encoder, expected["params_after"])


def test_cached_features_change_nothing(encoder, reference):
    videos = reference["video_uint8"]
    batch = {"video": videos}
    cached = {**batch, **encoder.frozen_features().compute(videos)}
    assert encoder.losses(cached) == encoder.losses(batch)
    cached["features"] = cached["features"] + 1
    assert encoder.losses(cached) != encoder.losses(batch)


def test_checkpointing_the_decoder_changes_nothing(encoder, reference):
    videos = reference["video_uint8"]
    encoder.total_loss(encoder.losses({"video": videos})).backward()
    plain = official.gradients(encoder)
    encoder.zero_grad()
    encoder.checkpoint_decoder = True
    encoder.total_loss(encoder.losses({"video": videos})).backward()
    for key, gradient in official.gradients(encoder).items():
        close(gradient, plain[key], 1e-7)
