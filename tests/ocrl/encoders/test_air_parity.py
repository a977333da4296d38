"""AIR against the recorded outputs of Pyro's example (tests/golden/README.md)."""

from __future__ import annotations

import json

import goldens
import pytest
import torch
from recorded import (
    check,
    check_gradients,
    check_parameters,
    given_noise,
    load_recorded,
    pair_names,
)

from ocrl.encoders.air import Air
from ocrl.modules.noise import GivenNoise
from ocrl.pretraining.optimizers import make_optimizer

GOLDEN = goldens.load("air_mini")
PREFIXES = {
    "first_hidden.0": "h_init",
    "first_hidden.1": "c_init",
    "baseline_state.0": "bl_h_init",
    "baseline_state.1": "bl_c_init",
    "first_where": "z_where_init",
    "first_what": "z_what_init",
    "lstm": "rnn",
    "encoder": "encode",
    "decoder": "decode",
    "head": "predict",
    "baseline_lstm": "bl_rnn",
    "baseline_head": "bl_predict",
}
EMBEDDINGS = {"embedding": "embed", "baseline_embedding": "bl_embed"}
IMAGES = GOLDEN["images_uint8"].unsqueeze(1).float() / 255


@pytest.fixture(params=["plain", "tuned"])
def golden(request):
    return GOLDEN[request.param]


@pytest.fixture
def encoder(golden) -> Air:
    config = json.loads(golden["config"])
    encoder = Air(
        (16, 16),
        num_steps=config["num_steps"],
        window=config["window_size"],
        what_dim=config["z_what_size"],
        hidden_dim=config["rnn_hidden_size"],
        embedding_dims=config["embed_net"] or (),
        encoder_dims=config["encoder_net"],
        decoder_dims=config["decoder_net"],
        head_dims=config["predict_net"],
        baseline_dims=config["bl_predict_net"],
        count_ratio=config["z_pres_prior"],
        scale_prior=config["scale_prior_mean"],
        scale_deviation=config["scale_prior_sd"],
        pixel_bias=config["decoder_output_bias"],
        baseline_scale=config["baseline_scalar"] or 1.0,
        baseline_rate=10,
        sigma=config["likelihood_sd"],
    )
    load_recorded(encoder, golden["state_dict_fp16"], names(encoder, golden))
    return encoder


def names(encoder: Air, golden) -> dict[str, str]:
    embeddings = EMBEDDINGS if "embed.seq.0.weight" in golden["state_dict_fp16"] else {}
    return pair_names(encoder, golden["state_dict_fp16"], PREFIXES | embeddings)


def noises(golden) -> list[GivenNoise]:
    return [
        GivenNoise(given_noise(draws, {"z_": "", "pres_uniform": "presence"}))
        for draws in golden["noise"]
    ]


@torch.no_grad()
def test_latents_and_pictures(encoder, golden):
    steps = encoder.infer(IMAGES, noises(golden)[0])
    expected = golden["latents"]
    check(steps.presence, expected["z_pres"])
    check(steps.probability, expected["z_pres_q"], 1e-5)
    check(steps.where, expected["z_where"], 1e-5)
    check(steps.what, expected["z_what"], 1e-5)
    check(steps.where_posterior.mean, expected["z_where_mean"], 1e-5)
    check(steps.where_posterior.stddev, expected["z_where_std"], 1e-5)
    check(steps.what_posterior.mean, expected["z_what_mean"], 1e-5)
    check(steps.what_posterior.stddev, expected["z_what_std"], 1e-5)
    check(steps.baseline, expected["baseline"], 1e-5)
    placed = encoder.draw(steps)
    check(placed.sum(1), golden["renderings"]["canvas"], 1e-4)
    trials = encoder.prior_probability.flatten().tolist()
    assert trials == pytest.approx(json.loads(golden["config"])["z_pres_prior_probs"])


@torch.no_grad()
def test_terms(encoder, golden):
    terms, expected = encoder.objective(IMAGES, noises(golden)[0]), golden["terms"]
    check(-terms["reconstruction"], expected["log_likelihood"], relative=1e-5)
    for name in ("pres", "where", "what"):
        ratio = expected[f"log_q_z_{name}"] - expected[f"log_p_z_{name}"]
        check(terms[f"kl_{name}".replace("pres", "presence")], ratio.sum(1), 1e-4, 1e-5)
    bound = sum(terms[name] for name in ("reconstruction", "kl_presence", "kl_where", "kl_what"))
    check(-bound, expected["elbo_per_image"], 1e-4, 1e-5)
    assert (bound + terms["score"]).sum().item() == pytest.approx(expected["loss"].item(), rel=1e-5)


def test_gradients_and_three_steps_of_training(encoder, golden):
    expected = golden["train3"]
    optimizer = make_optimizer(encoder.parameter_groups(), learning_rate=1e-4)
    for i, noise in enumerate(noises(golden)):
        terms = encoder.objective(IMAGES, noise)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        if i == 0:
            check_gradients(encoder, golden["grads"], names(encoder, golden), 5e-3)
        optimizer.step()
        loss = sum(term.sum().item() for name, term in terms.items() if name != "baseline")
        assert loss == pytest.approx(expected["losses"][i], rel=1e-5)
    check_parameters(encoder, expected["params_after"], names(encoder, golden), 1e-5)
