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

from ocrl import UsageError
from ocrl.encoders.iodine import IODINE, iodine
from ocrl.modules import distributions

NORMS = {"log_prob": "likelihood", "dmask": "mask_logits", "dcomponents": "colours"}
NORMS |= {"counterfactual": "gains", "dzp": "posterior"}
NAMES = [
    (r"^model/iodine/initial_sample_distribution", "initial"),
    (r"^pixel_decoder/.*conv_2d_(\d)/", lambda m: f"decoder.{2 * int(m[1])}."),
    (r"^model/iodine/preprocess/layer_norm_(\w+)/", lambda m: f"norms.{NORMS[m[1]]}."),
    (r"^encoder_net/.*conv_2d_(\d)/", lambda m: f"refinement.convolutions.{2 * int(m[1])}."),
    (r"^encoder_net/.*linear_(\d)/", lambda m: f"refinement.mlp.{2 * int(m[1])}."),
    (r"^recurrent_net/lstm/lstm/(\w)_gates", r"refinement.lstm.gates.\1"),
    (r"^refinement_head/residual_head/linear/", "refinement.head."),
    (r"\.(w|gamma)$", ".weight"),
    (r"\.(b|beta)$", ".bias"),
]
# Our evidence by their names, and how many channels of the maps each has.
MAPS = {"capacity": 1, "components": 3, "coordinates": 2, "counterfactual": 1, "dcomponents": 3}
MAPS |= {"dmask": 1, "image": 3, "log_prob": 1, "mask": 1, "posterior": 1, "pred_mask": 1}


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {public_names.rename(key, NAMES): value for key, value in tensors.items()}


@pytest.fixture(scope="module", params=[None, "variant_cos_coordinates_no_lstm"])
def reference(request: pytest.FixtureRequest) -> dict[str, Any]:
    recording = goldens.load("iodine_mini")
    images = {"image": recording["image"], "image_uint8": recording["image_uint8"]}
    return recording if request.param is None else {**images, **recording[request.param]}


@pytest.fixture
def encoder(reference: dict[str, Any]) -> IODINE:
    config = json.loads(reference["config"])
    decoder = config["decoder"]["pixel_decoder"]["cnn_opt"]
    core = config["refinement_core"]
    encoder = iodine(
        image_size=(16, 16),
        num_slots=config["num_components"],
        latent_dim=config["n_z"],
        num_refinements=config["num_iters"],
        decoder_dims=decoder["output_channels"][:-1],
        refinement_dims=core["encoder_net"]["cnn_opt"]["output_channels"],
        kernel_size=decoder["kernel_shapes"][0],
        hidden_dims=core["encoder_net"]["mlp_opt"]["output_sizes"],
        lstm_dim=sum(core["recurrent_net"]["hidden_sizes"]),
        cosines=config["coord_type"] == "cos",
        gradient_divisor=2,
    )
    public_names.fill(encoder, renamed(reference["state_dict"]), {"eval_noise"})
    return encoder


def video(reference: dict[str, Any]) -> dict[str, Tensor]:
    return {"video": reference["image_uint8"].movedim(1, -1).unsqueeze(1)}


@pytest.mark.parametrize("keep_graph", [True, False])
def test_forward(encoder, reference, keep_graph):
    outputs, noise = reference["outputs"], reference["noise"]["latent_normal"]
    history = encoder.refine(reference["image"], noise, keep_graph=keep_graph)
    for t, (posterior, divergence, mixture) in enumerate(history):
        close(posterior, outputs["posterior_parameters"][t], 1e-5)
        close(mixture.masks.squeeze(2), outputs["masks"][t], 1e-5)
        close(mixture.mask_logits.squeeze(2), outputs["mask_logits"][t], 1e-5)
        close(mixture.colours, outputs["components"][t], 1e-5)
        close(divergence, outputs["kl"][t], 1e-5)
        surprise = -mixture.likelihood.flatten(1).sum(1)
        torch.testing.assert_close(surprise, outputs["neg_log_likelihood"][t], rtol=1e-6, atol=0)
        close(mixture.image, outputs["reconstructions"][t], 1e-5)


def test_what_refinement_reads(encoder, reference, monkeypatch):
    read = []
    evidence = encoder.evidence
    monkeypatch.setattr(encoder, "evidence", lambda *a: read.append(evidence(*a)) or read[-1])
    encoder.refine(reference["image"], reference["noise"]["latent_normal"], keep_graph=True)
    expected = reference["refinement_inputs_first_iteration"]
    channels = {**MAPS, "coordinates": expected["coordinates"].shape[2]}
    maps, vectors = read[0]
    for name, part in zip(channels, maps.split(list(channels.values()), dim=2), strict=True):
        tolerance = 1e-3 if name == "counterfactual" else 1e-4
        close(part, expected[name].expand_as(part), tolerance)
    close(vectors, torch.cat([expected[name] for name in ("dzp", "flat_capacity", "zp")], -1), 1e-4)


def test_losses_and_gradients(encoder, reference, monkeypatch):
    noise = reference["noise"]["latent_normal"]
    monkeypatch.setattr(distributions, "gaussian_noise", lambda like: noise)
    losses, expected = encoder.losses(video(reference)), reference["losses"]
    for name, values in (("likelihood", "neg_log_likelihood"), ("divergence", "kl")):
        steps = torch.tensor(expected[f"{values}_per_iteration"])
        weighted = (torch.tensor(expected["iteration_weights"]) * steps).sum()
        assert losses[name].item() == pytest.approx(weighted.item(), rel=2e-6)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total"], rel=1e-6)
    total.backward()
    public_names.all_close(
        public_names.gradients(encoder),
        renamed(reference["grads"]),
        public_names.of_largest(1e-4),
    )


def test_three_steps_of_adam(encoder, reference, monkeypatch):
    training = reference["train3"]
    optimizer = torch.optim.Adam(encoder.parameters(), betas=tuple(training["betas"]))
    for step in training["steps"]:
        noise = step["latent_normal"]
        monkeypatch.setattr(distributions, "gaussian_noise", lambda like, noise=noise: noise)
        optimizer.param_groups[0]["lr"] = step["lr"]
        total = encoder.total_loss(encoder.losses(video(reference)))
        assert total.item() == pytest.approx(step["loss"], rel=1e-5)
        optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in encoder.parameters()])
        assert norm.item() == pytest.approx(step["grad_norm_l2"], rel=1e-4)
        optimizer.step()
    trained = {key: value.detach().clone() for key, value in encoder.named_parameters()}
    expected = renamed(training["params_after"])
    unstable = json.loads(reference["meta"])["params_after_unstable_elements"]
    for key, elements in unstable.items():
        ours = public_names.rename(key, NAMES)
        trained[ours].view(-1)[elements] = expected[ours].view(-1)[elements]
    public_names.all_close(trained, expected, 2e-5)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_it_encodes_with_gradients_on_or_off(encoder, reference, mode):
    encoder.eval().requires_grad_(False)
    frames = video(reference)["video"][:, 0]
    expected, _ = encoder.encode(reference["image"])
    with mode():
        output = encoder.step(frames.clone(), None, torch.ones(2, dtype=torch.bool))
        losses = encoder.losses(video(reference))
    close(output.tokens, expected, 1e-6)
    assert not output.tokens.requires_grad
    assert not losses["likelihood"].requires_grad
    assert not torch.equal(encoder.initial[:6].expand(2, 3, 6), output.tokens)


@pytest.mark.parametrize("argument", [{"num_slots": 1}, {"num_refinements": 0}, {"scale": 0.0}])
def test_what_does_not_fit_is_refused_in_one_line(argument):
    with pytest.raises(UsageError, match="choose") as caught:
        iodine(**argument)
    assert "\n" not in str(caught.value)


def test_weights_made_in_inference_mode_are_refused_in_one_line():
    with torch.inference_mode():
        encoder = iodine(image_size=(16, 16)).eval()
    with pytest.raises(UsageError, match="build or load it outside") as caught:
        encoder.encode(torch.rand(1, 3, 16, 16))
    assert "\n" not in str(caught.value)
