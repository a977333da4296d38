"""SPAIR against recorded outputs of a public port (tests/golden/README.md)."""

from __future__ import annotations

import json

import goldens
import pytest
import torch
from recorded import check, check_gradients, check_parameters, load_recorded, pair_names

from ocrl.encoders.spair import Spair
from ocrl.modules.noise import GivenNoise

GOLDEN = goldens.load("spair_mini")
CONFIG = json.loads(GOLDEN["config"])
PREFIXES = {
    "edge": "virtual_edge_element",
    "backbone": "backbone.net",
    "box_head.body": "box_network.body",
    "box_head.out": "box_network.output_layers.0",
    "box_head.passed": "box_network.output_layers.1",
    "what_encoder": "object_encoder",
    "depth_head.body": "z_network.body",
    "depth_head.out": "z_network.output_layers.0",
    "depth_head.passed": "z_network.output_layers.1",
    "presence_head": "obj_network",
    "decoder": "object_decoder",
}
IMAGES = GOLDEN["images_uint8"].float() / 255
BATCH_SIZE = len(IMAGES)


def cells_of(maps: torch.Tensor) -> torch.Tensor:
    """Return maps (B, D, rows, columns) cell by cell, (B, N, D)."""
    return maps.flatten(2).mT


def noise_of(draws) -> GivenNoise:
    box = torch.cat([draws[name] for name in ("cy", "cx", "height", "width")], dim=1)
    parts = {"box": box, "what": draws["attr"], "depth": draws["depth"]}
    parts["presence"] = draws["pres_uniform"]
    return GivenNoise(
        {f"{name}_{i}": cells_of(x)[:, i] for name, x in parts.items() for i in range(9)}
    )


NOISE = [noise_of(draws) for draws in GOLDEN["noise"]]


def names(encoder: Spair) -> dict[str, str]:
    return pair_names(encoder, GOLDEN["state_dict_fp16"], PREFIXES)


@pytest.fixture
def encoder() -> Spair:
    encoder = Spair(
        (18, 18),
        channels=1,
        strides=(3, 2),
        backbone_dims=[layer["filters"] for layer in CONFIG["backbone"]],
        feature_dim=CONFIG["backbone_features"],
        passed_dim=CONFIG["passthrough"],
        what_dim=CONFIG["attributes"],
        head_dims=CONFIG["mlp"],
        encoder_dims=CONFIG["object_encoder"],
        decoder_dims=CONFIG["object_decoder"],
        glimpse_size=CONFIG["object_shape"][0],
        anchor=CONFIG["anchor"][0],
        size_prior=CONFIG["priors"]["height_logit"],
        count_decay=1000,
        cut_steps=1000,
        sampled_presence_kl=True,
    )
    load_recorded(encoder, GOLDEN["state_dict_fp16"], names(encoder))
    return encoder


def total(terms) -> torch.Tensor:
    """Return the port's loss: errors are summed over the batch, divergences averaged."""
    kl = sum(term.mean() for name, term in terms.items() if name != "reconstruction")
    return terms["reconstruction"].sum() + kl


@torch.no_grad()
def test_latents_and_pictures(encoder):
    cells = encoder.infer(IMAGES, NOISE[0])
    expected = {name: cells_of(x) for name, x in GOLDEN["latents"].items()}
    x, y, width, height = expected["z_where"].unbind(2)
    boxes = torch.stack([width, height, 2 * x - 1, 2 * y - 1], dim=2)
    check(cells.boxes, boxes, 1e-5)
    check(cells.what, expected["z_attr"], 1e-5)
    check(cells.depth, expected["z_depth"], 1e-5)
    check(cells.presence, expected["z_pres"], 1e-5)
    check(cells.whats.stddev, expected["attr_std"], 1e-5)
    _, drawn = encoder.draw(cells)
    check(drawn, GOLDEN["renderings"]["reconstruction"], 1e-4)


@torch.no_grad()
def test_terms(encoder):
    terms, expected = encoder.objective(IMAGES, NOISE[0], CONFIG["main_step"]), GOLDEN["terms"]
    check(terms["reconstruction"].sum(), expected["reconstruction"], relative=1e-5)
    kl = expected["kl"]
    box = sum(kl[name] for name in ("cy_logit", "cx_logit", "height_logit", "width_logit"))
    check(terms["kl_box"].mean(), box, relative=1e-5)
    check(terms["kl_what"].mean(), kl["attr"], relative=1e-5)
    check(terms["kl_depth"].mean(), kl["depth_logit"], relative=1e-5)
    check(terms["kl_presence"].mean(), kl["pres_dist"], relative=1e-5)
    check(total(terms), expected["loss"], relative=1e-5)


@pytest.mark.parametrize("step", [int(step) for step in GOLDEN["terms_at"]])
def test_schedules(encoder, step):
    expected = {int(k): v for k, v in GOLDEN["terms_at"].items()}[step]
    terms = encoder.objective(IMAGES, NOISE[0], step)
    check(terms["kl_presence"].mean(), expected["kl"]["pres_dist"], relative=5e-5)
    total(terms).backward()
    for own, other in names(encoder).items():
        gradient = encoder.get_parameter(own).grad
        norm = 0.0 if gradient is None else gradient.norm().item()
        assert norm == pytest.approx(expected["grad_norms"][other].item(), rel=5e-3, abs=1e-6), own


def test_gradients_and_three_steps_of_training(encoder):
    expected = GOLDEN["train3"]
    optimizer = torch.optim.Adam(encoder.parameters(), lr=CONFIG["lr"])
    for i, noise in enumerate(NOISE):
        loss = total(encoder.objective(IMAGES, noise, CONFIG["main_step"] + i))
        optimizer.zero_grad()
        loss.backward()
        if i == 0:
            check_gradients(encoder, GOLDEN["grads"], names(encoder), 5e-3)
        optimizer.step()
        assert loss.item() == pytest.approx(expected["losses"][i], rel=1e-5)
    check_parameters(encoder, expected["params_after"], names(encoder), 1e-5)
