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
from torch import Tensor

from ocrl.encoders.steve import STEVE, steve
from ocrl.modules import distributions
from ocrl.modules.initializers import RandomInitializer

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
# Adding the same to the logits of all slots leaves their softmax as it is.
INERT = "recurrence.corrector.norm_slots.bias"
OURS_ALONE = {"temperature.step", "recurrence.initializer.eval_noise"}


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


def give(monkeypatch: pytest.MonkeyPatch, encoder: STEVE, noise: dict[str, Any], tau: float):
    """Let noise and temperature be those that were recorded."""
    draws = iter([noise["gumbel_exponential_soft"], noise["gumbel_exponential_hard"]])
    gumbel = (-torch.log(draw + torch.finfo(draw.dtype).tiny) for draw in draws)
    monkeypatch.setattr(distributions, "gumbel_noise", lambda like: next(gumbel))
    slots = noise["slot_init_normal"]
    monkeypatch.setattr(RandomInitializer, "noise", lambda self, batch_size: slots)
    monkeypatch.setattr(type(encoder.temperature), "forward", lambda self, **_: tau)


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
    losses = encoder.losses({"video": videos(reference)})
    expected = reference["losses"]
    assert losses["reconstruction"].item() == pytest.approx(expected["mse"], rel=1e-6)
    assert losses["cross_entropy"].item() == pytest.approx(expected["cross_entropy"], rel=1e-6)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total"], rel=1e-6)
    total.backward()
    public_names.all_close(
        public_names.gradients(encoder),
        renamed(reference["grads"]),
        public_names.of_largest(1e-5),
        leave_out=[INERT],
    )


def test_three_steps_of_adam(encoder, reference, monkeypatch):
    groups = encoder.parameter_groups()
    optimizer = torch.optim.Adam([{"params": group.parameters} for group in groups])
    for step in reference["train3"]["steps"]:
        give(monkeypatch, encoder, step, step["tau"])
        rates = (step["lr_dvae"], step["lr_decoder"], step["lr_encoder"])
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        losses = encoder.losses({"video": videos(reference)})
        assert losses["reconstruction"].item() == pytest.approx(step["mse"], rel=1e-5)
        assert losses["cross_entropy"].item() == pytest.approx(step["cross_entropy"], rel=1e-5)
        optimizer.zero_grad()
        encoder.total_loss(losses).backward()
        norm = torch.nn.utils.clip_grad_norm_(encoder.parameters(), 0.05, norm_type=torch.inf)
        assert norm.item() == pytest.approx(step["grad_norm_inf_before_clip"], rel=1e-4)
        optimizer.step()
    after = renamed(reference["train3"]["params_after"])
    public_names.all_close(dict(encoder.named_parameters()), after, 2e-5, leave_out=[INERT])


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
