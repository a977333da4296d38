"""SQAIR against an independent restatement of its formulas (tests/golden/README.md)."""

from __future__ import annotations

import json

import goldens
import pytest
import torch
from recorded import check, check_gradients, check_parameters, load_recorded, pair_names

from ocrl.encoders.sqair import Sqair
from ocrl.modules.noise import GivenNoise
from ocrl.modules.score_function import importance_weighted_bound, learning_signal
from ocrl.pretraining.optimizers import make_optimizer

GOLDEN = goldens.load("sqair_mini")
CONFIG = json.loads(GOLDEN["config"])
GRU = {
    "update.0": "wz",
    "update.1": "uz",
    "biases.0": "bz",
    "reset.0": "wr",
    "reset.1": "ur",
    "biases.1": "br",
    "new.0": "wh",
    "new.1": "uh",
    "biases.2": "bh",
    "initial": "initial",
}
RNN = {"read": "in", "carry": "state", "initial": "initial"}
PREFIXES = {
    "image_encoder": "input_encoder",
    "coder.layers": "glimpse_encoder.mlp",
    "coder.to_what": "glimpse_encoder.what",
    "coder.to_mask": "glimpse_encoder.mask",
    "decoder.0": "decoder.0",
    "decoder.2": "decoder.1",
    "decoder.4": "decoder.2",
    "output_scale": "decoder.output_scale",
    "mean_image": "decoder.mean_image",
    "latent_encoder": "latent_encoder",
    **{f"discovery.rnn.{own}": f"discovery.rnn.{other}" for own, other in RNN.items()},
    "discovery.to_where.0": "discovery.transform.0",
    "discovery.to_where.2": "discovery.transform.1",
    "discovery.to_where.4": "discovery.transform.2",
    "discovery.deviation_offset": "discovery.transform.scale_offset",
    "discovery.to_presence": "discovery.steps",
    "discovery.prior_where": "discovery.where_prior.initial_sample",
    "discovery.prior_state": "discovery.where_prior.initial_state",
    "discovery.prior_condition": "discovery.where_prior.condition",
    "discovery.prior_read": "discovery.where_prior.in",
    "discovery.prior_carry": "discovery.where_prior.state",
    "discovery.prior_readout": "discovery.where_prior.readout",
    "discovery.number_logits": "discovery.steps_prior.logits",
    "discovery.later_logits": "discovery.steps_prior.later_bias",
    "discovery.to_number": "discovery.steps_prior.mlp",
    "propagation.to_glimpse_shift": "propagation.where_bias",
    **{f"propagation.rnn.{own}": f"propagation.rnn.{other}" for own, other in RNN.items()},
    "propagation.to_where.0": "propagation.transform.0",
    "propagation.to_where.2": "propagation.transform.1",
    "propagation.to_where.4": "propagation.transform.2",
    "propagation.deviation_offset": "propagation.transform.scale_offset",
    "propagation.triangle": "propagation.cholesky_scale",
    **{f"propagation.gru.{own}": f"propagation.temporal.{other}" for own, other in GRU.items()},
    "propagation.to_temporal_what": "propagation.temporal_what",
    "propagation.to_gates": "propagation.gates",
    "propagation.to_presence": "propagation.steps",
    **{f"prior.gru.{own}": f"propagation.prior.{other}" for own, other in GRU.items()},
    "prior.readout": "propagation.prior.readout",
}
VIDEOS = GOLDEN["video_uint8"].unsqueeze(2).float() / 255


def noise_of(draws) -> GivenNoise:
    tensors = {}
    for name, tensor in draws.items():
        kind, part, *_, t = name.split("_")
        kind = {"prop": "propagation", "disc": "discovery"}[kind]
        part = "presence" if part == "pres" else part
        for k in range(tensor.shape[1]):
            tensors[f"{kind}_{part}_{k}_{t}"] = tensor[:, k]
    return GivenNoise(tensors)


def names(encoder: Sqair) -> dict[str, str]:
    return pair_names(encoder, GOLDEN["state_dict_fp16"], PREFIXES)


@pytest.fixture
def encoder() -> Sqair:
    encoder = Sqair(
        (CONFIG["image"], CONFIG["image"]),
        num_slots=CONFIG["slots"],
        glimpse=CONFIG["glimpse"],
        what_dim=CONFIG["what"],
        dims=tuple(CONFIG["hidden"]),
        presence_dims=tuple(CONFIG["steps_hidden"]),
        hidden_dim=CONFIG["rnn"],
        temporal_dim=CONFIG["temporal"],
        prior_dim=CONFIG["prior_rnn"],
        mask_dim=CONFIG["mask_hidden"],
        where_hidden_dim=CONFIG["where_bias_hidden"],
        where_prior_dim=CONFIG["where_prior_hidden"],
        number_prior_dim=CONFIG["steps_prior_hidden"],
        num_particles=CONFIG["K"],
        sigma=CONFIG["output_std"],
        background_sigma=CONFIG["background_std"],
        prior_presence_bias=CONFIG["prop_prior_step_bias"],
    )
    load_recorded(encoder, GOLDEN["state_dict_fp16"], names(encoder))
    return encoder


@torch.no_grad()
def test_every_frame(encoder):
    noise = noise_of(GOLDEN["noise"][0])
    images = VIDEOS.repeat_interleave(CONFIG["K"], dim=0)
    objects, slots = encoder.nothing(len(images))
    state, ids = None, {}
    for t, expected in enumerate(GOLDEN["frames"]):
        frame = encoder.frame(images[:, t], objects, slots, state, noise, t)
        for ours, theirs in ((frame.propagated, "propagation"), (frame.discovered, "discovery")):
            for part in ("what", "where", "presence", "presence_logit"):
                check(getattr(ours, part), expected[theirs][part], 1e-4, 1e-4)
            for part in ("log_q_what", "log_q_where"):
                check(getattr(ours, part), expected[theirs][part], 1e-4, 1e-4)
        check(frame.propagated.temporal, expected["propagation"]["temporal"], 1e-4)
        for part in ("what", "where", "presence"):
            check(getattr(frame.objects, part), expected[part], 1e-4)
        _, written, canvas = encoder.draw(frame.objects)
        check(written, expected["written"], 1e-4)
        check(canvas, expected["canvas"], 1e-4)
        log_weight = encoder.log_weight(images[:, t], objects, frame, t)
        check(log_weight, expected["log_weight"], 1e-3, 1e-5)
        # Slots are as stable as the recorded ids: an id keeps the slot it had first.
        for row, (row_ids, row_slots) in enumerate(zip(expected["ids"], frame.slots, strict=True)):
            assert sorted(row_slots.tolist()) == [0, 1, 2]
            for name, slot in zip(row_ids.tolist(), row_slots.tolist(), strict=True):
                if name >= 0:
                    assert ids.setdefault((row, name), slot) == slot
        objects, slots, state = frame.objects, frame.slots, frame.prior_state


def target(encoder: Sqair, noise: GivenNoise) -> torch.Tensor:
    """Return the recorded objective: minus the bound and the signal times ln q, per frame."""
    log_weights, log_q = encoder.particles(VIDEOS, noise)
    bound = importance_weighted_bound(log_weights)
    signal = learning_signal(log_weights).detach()
    return -(bound.unsqueeze(1) + signal * log_q).mean() / VIDEOS.shape[1]


@torch.no_grad()
def test_bound_and_signal(encoder):
    log_weights, log_q = encoder.particles(VIDEOS, noise_of(GOLDEN["noise"][0]))
    expected = GOLDEN["terms"]
    check(log_weights, expected["log_weights"], relative=1e-5)
    check(log_q, expected["discrete_log_prob"], relative=1e-5)
    check(importance_weighted_bound(log_weights), expected["iwae"], relative=1e-5)
    check(learning_signal(log_weights), expected["learning_signal"], 1e-2, 1e-5)
    check(target(encoder, noise_of(GOLDEN["noise"][0])), expected["target"], relative=1e-4)


def test_gradients_and_three_steps_of_training(encoder):
    expected = GOLDEN["train3"]
    optimizer = make_optimizer(encoder.parameter_groups(), learning_rate=1e-5)
    for i, draws in enumerate(GOLDEN["noise"]):
        loss = target(encoder, noise_of(draws))
        optimizer.zero_grad()
        loss.backward()
        if i == 0:
            check_gradients(encoder, GOLDEN["grads"], names(encoder), 5e-3)
        optimizer.step()
        assert loss.item() == pytest.approx(expected["losses"][i], rel=1e-4)
    check_parameters(encoder, expected["params_after"], names(encoder), 1e-5)
