"""The official code's numbers, on random weights: forward, losses, gradients, three Adam steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import goldens
import public_names
import pytest
import torch
from public_names import close
from token_parity import OURS_ALONE, check_gradients, check_training, give
from torch import Tensor

from ocrl.encoders.steve import STEVE, steve

NAMES = [
    (r"^(dvae\.\w+\.\d+)\.m\.", r"\1.0."),
    (r"^steve_encoder\.cnn\.([012])\.m", lambda m: f"cnn.{2 * int(m[1])}"),
    (r"^steve_encoder\.cnn\.3", "cnn.6"),
    (r"^steve_encoder\.pos\.projection", "position.linear"),
    (r"^steve_encoder\.layer_norm", "projection.layers.0"),
    (r"^steve_encoder\.mlp\.([02])", lambda m: f"projection.layers.{int(m[1]) + 1}"),
    (r"^steve_encoder\.savi\.slot_mu", "recurrence.initializer.mean"),
    (r"^steve_encoder\.savi\.slot_log_sigma", "recurrence.initializer.log_std"),
    (r"^steve_encoder\.savi\.predictor\.layer_norm", "recurrence.predictor.norm"),
    (r"^steve_encoder\.savi\.predictor", "recurrence.predictor"),
    (r"^steve_encoder\.savi\.", "recurrence.corrector."),
    (r"^steve_encoder\.slot_proj\.", "decoder.to_memory."),
    (r"^steve_decoder\.bos", "embedding.first"),
    (r"^steve_decoder\.dict\.dictionary", "embedding.codes"),
    (r"^steve_decoder\.pos\.pe", "embedding.places"),
    (r"^steve_decoder\.tf\.layer_norm", "decoder.transformer.norm"),
    (r"^steve_decoder\.tf\.", "decoder.transformer."),
    (r"^steve_decoder\.head\.", "decoder.to_logits."),
    *public_names.SLOT_ATTENTION,
    *public_names.TRANSFORMER,
]


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = {key: value for key, value in tensors.items() if key != "steve_encoder.pos.pe"}
    ours = public_names.renamed(kept, NAMES)
    for key in [key for key in ours if key.startswith("position.linear.weight")]:
        ours[key] = ours[key].flatten(1)
    return ours


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("steve_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> STEVE:
    config = json.loads(reference["config"])
    encoder = steve(
        image_size=(24, 24),
        num_slots=config["num_slots"],
        slot_dim=config["slot_size"],
        vocabulary_size=config["vocab_size"],
        dvae_dim=64,
        dim=config["d_model"],
        cnn_dim=config["cnn_hidden_size"],
        strides=(2, 1, 1, 1),
        num_blocks=config["num_decoder_blocks"],
        mlp_dim=config["mlp_hidden_size"],
    )
    public_names.fill(encoder, renamed(reference["state_dict"]), OURS_ALONE)
    return encoder


def videos(reference: dict[str, Any]) -> Tensor:
    return reference["video_uint8"].movedim(2, -1)


def test_forward(encoder, reference, monkeypatch):
    outputs = reference["outputs"]
    give(monkeypatch, encoder, reference["noise"], reference["tau"])
    images = reference["video"].flatten(0, 1)
    close(encoder.dvae.encoder(images), outputs["dvae_logits"], 1e-5)
    relaxed, codes = encoder.dvae.sample(encoder.dvae(images), reference["tau"])
    close(relaxed, outputs["z_soft"], 1e-5)
    close(encoder.dvae.decode(relaxed), outputs["dvae_reconstruction"], 1e-5)
    assert torch.equal(codes, outputs["target_tokens"])
    distances = encoder.position.distances.mT.unflatten(1, (12, 12))
    close(distances, reference["state_dict"]["steve_encoder.pos.pe"][0], 1e-6)
    close(encoder.cnn(images), outputs["cnn_features"], 1e-5)
    features = encoder.features(videos(reference).flatten(0, 1))
    close(features, outputs["slot_attention_inputs"], 1e-5)
    slots = encoder.recurrence(features.unflatten(0, (2, 3)))
    close(slots.slots, outputs["slots"], 1e-5)
    close(slots.predicted, outputs["predicted_slots"], 1e-5)
    close(slots.attention, outputs["attention"].mT, 1e-5)
    close(encoder.decoder.to_memory(slots.slots), outputs["projected_slots"], 1e-5)
    embedded = encoder.embedding(codes)
    logits = encoder.decoder(embedded[:, :-1], slots.slots.flatten(0, 1))
    close(logits, outputs["token_logits"], 1e-5)


def test_losses_and_gradients(encoder, reference, monkeypatch):
    give(monkeypatch, encoder, reference["noise"], reference["tau"])
    check_gradients(encoder, videos(reference), reference, renamed)


def test_three_steps_of_adam(encoder, reference, monkeypatch):
    rates = ("lr_dvae", "lr_decoder", "lr_encoder")
    training = reference["train3"]
    check_training(monkeypatch, encoder, videos(reference), training, renamed, rates, clip=0.05)


def test_telling_a_video_from_its_slots(encoder, reference, monkeypatch):
    told = reference["autoregressive"]
    give(monkeypatch, encoder, reference["noise"], 1.0)
    decoded = encoder.eval().reconstruct({"video": videos(reference)})
    expected = told["reconstruction"].flatten(-2).mT
    close(decoded.reconstruction.clamp(0, 1), expected, 1e-5)


def test_the_temperature_falls_as_published(encoder, reference):
    schedule = reference["schedules"]
    annealing = steve(annealing_steps=30_000).temperature
    for step, tau in zip(schedule["steps"], schedule["tau"], strict=True):
        annealing.step.fill_(step)
        assert annealing().item() == pytest.approx(tau, abs=1e-6)
