"""The official code's numbers, on random weights: forward, losses, gradients, three Adam steps."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
import torch

from ocrl.encoders import SlotContrast
from ocrl.modules.backbones import TimmBackbone
from ocrl.modules.decoders import MLPDecoder
from ocrl.modules.initializers import LearnedInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.targets import FeatureTarget
from ocrl.modules.transformer import Transformer


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("slotcontrast_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> SlotContrast:
    encoder = SlotContrast(
        TimmBackbone(
            "vit_small_patch14_dinov2",
            (70, 70),
            pretrained=False,
            model_kwargs={"img_size": 56, "embed_dim": 32, "num_heads": 2},
        ),
        MLP(32, [64], 16, layer_norm=True),
        LearnedInitializer(5, 16),
        SlotAttention(16, 16),
        Transformer(16),
        MLPDecoder(16, 32, [64, 64, 64], (5, 5)),
        FeatureTarget(),
    )
    official.fill(encoder, reference["state_dict_fp16"])
    return encoder


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def test_frames_are_normalised_alike(encoder, reference):
    images = encoder.backbone.normalise(reference["video_uint8"].flatten(0, 1))
    close(images, reference["video"].flatten(0, 1), 1e-5)


def test_forward(encoder, reference):
    videos = reference["video_uint8"]
    features = encoder.backbone_features(videos)
    slots, attention, predicted = encoder.group(features)
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
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters)
    for step, learning_rate in enumerate(reference[run]["lrs"]):
        optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.zero_grad()
        loss = encoder.total_loss(encoder.losses({"video": reference["video_uint8"]}))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        optimizer.step()
        assert loss.item() == pytest.approx(reference[run]["losses"][step], abs=1e-5)
        assert norm.item() == pytest.approx(
            reference[run]["grad_norms_before_clip"][step], rel=1e-4
        )
    trained = dict(encoder.named_parameters())
    for key, value in official.renamed(reference[run]["params_after"]).items():
        close(trained[key].detach(), value, 2e-5)


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
