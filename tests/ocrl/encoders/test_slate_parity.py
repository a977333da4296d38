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

from ocrl.encoders.slate import SLATE, slate
from ocrl.modules.initializers import RandomInitializer

NAMES = [
    (r"^(dvae\.\w+\.\d+)\.(weight|bias)$", r"\1.1.\2"),
    (r"^(dvae\.\w+\.\d+)\.m\.", r"\1.0."),
    (r"^(dvae\.encoder\.7|dvae\.decoder\.11)\.1\.", r"\1."),
    (r"^positional_encoder\.pe", "embedding.places"),
    (r"^slot_attn\.slot_mu", "recurrence.initializer.mean"),
    (r"^slot_attn\.slot_log_sigma", "recurrence.initializer.log_std"),
    (r"^slot_attn\.layer_norm", "projection.layers.0"),
    (r"^slot_attn\.mlp\.([02])", lambda m: f"projection.layers.{int(m[1]) + 1}"),
    (r"^slot_attn\.slot_attention\.", "recurrence.corrector."),
    (r"^slot_proj\.", "decoder.to_memory."),
    (r"^tf_dec\.layer_norm", "decoder.transformer.norm"),
    (r"^tf_dec\.", "decoder.transformer."),
    (r"^out\.", "decoder.to_logits."),
    *public_names.SLOT_ATTENTION,
    *public_names.TRANSFORMER,
]


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    ours = public_names.renamed(tensors, NAMES)
    table = ours.pop("dictionary.dictionary.weight")
    return {**ours, "embedding.first": table[:1, None], "embedding.codes.weight": table[1:]}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("slate_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> SLATE:
    config = json.loads(reference["config"])
    encoder = slate(
        image_size=(32, 32),
        num_slots=config["num_slots"],
        slot_dim=config["slot_size"],
        vocabulary_size=config["vocab_size"],
        dvae_dim=64,
        dim=config["d_model"],
        num_blocks=config["num_dec_blocks"],
        mlp_dim=config["mlp_hidden_size"],
    )
    public_names.fill(encoder, renamed(reference["state_dict"]), OURS_ALONE)
    return encoder


def videos(reference: dict[str, Any]) -> Tensor:
    return reference["image_uint8"].movedim(1, -1).unsqueeze(1)


def test_forward(encoder, reference, monkeypatch):
    outputs = reference["outputs"]
    give(monkeypatch, encoder, reference["noise"], reference["tau"])
    images = reference["image"]
    close(encoder.dvae.encoder(images), outputs["dvae_logits"], 1e-5)
    relaxed, codes = encoder.dvae.sample(encoder.dvae(images), reference["tau"])
    close(relaxed, outputs["z_soft"], 1e-5)
    close(encoder.dvae.decode(relaxed), outputs["dvae_reconstruction"], 1e-5)
    assert torch.equal(codes + 1, outputs["bos_and_target_tokens"][:, 1:])
    embedded = encoder.embedding(codes)
    close(embedded[:, 1:], outputs["token_embeddings"], 1e-5)
    close(embedded[:, :-1], outputs["decoder_inputs"], 1e-5)
    features = encoder.features(videos(reference).squeeze(1), embedded)
    close(features, outputs["slot_attention_inputs"], 1e-5)
    slots = encoder.recurrence(features.unsqueeze(1))
    close(slots.slots[:, 0], outputs["slots"], 1e-5)
    close(slots.attention[:, 0], outputs["attention"].mT, 1e-5)
    close(encoder._masks(slots)[:, 0], outputs["slot_masks"], 1e-5)
    close(encoder.decoder.to_memory(outputs["slots"]), outputs["projected_slots"], 1e-5)
    logits = encoder.decoder(embedded[:, :-1], slots.slots[:, 0])
    close(logits, outputs["token_logits"], 1e-5)


def test_losses_and_gradients(encoder, reference, monkeypatch):
    give(monkeypatch, encoder, reference["noise"], reference["tau"])
    check_gradients(encoder, videos(reference), reference, renamed)


def test_three_steps_of_adam(encoder, reference, monkeypatch):
    rates = ("lr_dvae", "lr_main", "lr_main")
    training = reference["train3"]
    check_training(monkeypatch, encoder, videos(reference), training, renamed, rates, clip=1.0)


def test_telling_an_image_from_its_slots(encoder, reference, monkeypatch):
    told = reference["autoregressive"]
    encoder.eval()
    noise = told["slot_init_normal"]
    monkeypatch.setattr(RandomInitializer, "noise", lambda self, batch_size: noise)
    codes = encoder.dvae.codes(reference["image"])
    assert torch.equal(codes + 1, told["bos_and_argmax_tokens"][:, 1:])
    encoded = encoder.encode_video(videos(reference))
    close(encoded.tokens[:, 0], told["slots"], 1e-5)
    slots = encoded.tokens[:, 0]
    assert torch.equal(
        encoder.decoder.generate(encoder.embedding, slots, 64), told["generated_tokens"]
    )
    decoded = encoder.reconstruct({"video": videos(reference)})
    expected = told["reconstruction_unclamped"].flatten(2).mT.unsqueeze(1)
    close(decoded.reconstruction, expected, 1e-5)


def test_the_temperature_falls_as_published(encoder, reference):
    schedule = reference["schedules"]
    annealing = slate(annealing_steps=30_000).temperature
    for step, tau in zip(schedule["steps"], schedule["tau"], strict=True):
        annealing.step.fill_(step)
        assert annealing().item() == pytest.approx(tau, abs=1e-6)
