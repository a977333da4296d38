"""Public code's numbers, on random weights: forward, losses, gradients, three Adam steps."""

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
from ocrl.encoders.monet import MONet, monet
from ocrl.modules import distributions

NAMES = [
    (r"^attention\.unet\.(down|up)\.(\d)\.conv", r"attention.\1.\2.0"),
    (r"^attention\.unet\.(down|up)\.(\d)\.instance_norm", r"attention.\1.\2.1"),
    (r"^attention\.unet\.mlp", "attention.bottleneck"),
    (r"^attention\.unet\.final_conv", "attention.out"),
    (r"^encoder\.convs", "encoder"),
    (r"^encoder\.mlp", "encoder.9.layers"),
    (r"^decoder\.convs", "decoder"),
]
# Genesis names the blocks of the same U-Net otherwise, and has one channel where we have two.
GENESIS_NAMES = [
    (r"^att_process\.core\.(down|up)", r"\1"),
    (r"^att_process\.core\.mlp", "bottleneck"),
    (r"^att_process\.core\.final_conv", "out"),
]
# A bias that all slots' mask logits share: their softmax does not see it.
INERT = "decoder.8.bias"
COORDINATES = "decoder.coord_map_const"


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return goldens.load("monet_mini")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> MONet:
    config = json.loads(reference["config"])
    encoder = monet(
        image_size=(32, 32),
        num_slots=config["num_slots"],
        latent_dim=config["latent_size"],
        unet_dim=config["unet_filter_start"],
        encoder_dims=config["encoder"]["channels"],
        encoder_hidden=config["encoder"]["mlp_hidden_size"],
        decoder_dims=config["decoder"]["channels"][:-1],
    )
    public_names.fill(encoder, renamed(reference["state_dict"]), ())
    return encoder


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return public_names.renamed({k: v for k, v in tensors.items() if k != COORDINATES}, NAMES)


def give(monkeypatch: pytest.MonkeyPatch, noise: Tensor) -> None:
    monkeypatch.setattr(distributions, "gaussian_noise", lambda like: noise)


def video(reference: dict[str, Any]) -> dict[str, Tensor]:
    return {"video": reference["image_uint8"].movedim(1, -1).unsqueeze(1)}


def test_forward(encoder, reference, monkeypatch):
    outputs, images = reference["outputs"], reference["image"]
    give(monkeypatch, reference["noise"]["latent_normal"])
    log_masks = encoder.attend(images)
    close(log_masks.exp(), outputs["masks"], 1e-5)
    close(log_masks[:, -1], outputs["log_scopes_after_step"][:, -1], 1e-4)
    mean, std = encoder.posterior(images, log_masks)
    close(mean, outputs["latent_mean"], 1e-5)
    close(std, outputs["latent_std"], 1e-5)
    latents = distributions.gaussian_sample(mean, std)
    close(latents, outputs["latent_sample"], 1e-5)
    colours, mask_logits = encoder.decode(latents)
    close(colours, outputs["components"], 1e-5)
    close(mask_logits, outputs["decoder_output"][:, :, 3], 1e-5)
    close(mask_logits.softmax(1), outputs["mask_reconstruction"], 1e-5)
    tokens, masks = encoder.encode(images)
    close(tokens, outputs["representation"], 1e-5)
    close((masks.unsqueeze(2) * colours).sum(1), outputs["reconstruction"], 1e-5)


def test_coordinates(encoder, reference):
    expected = reference["state_dict"][COORDINATES].reshape(encoder.decoder[0].places.shape)
    close(encoder.decoder[0].places, expected, 1e-6)


def test_losses_and_gradients(encoder, reference, monkeypatch):
    give(monkeypatch, reference["noise"]["latent_normal"])
    losses, expected = encoder.losses(video(reference)), reference["losses"]
    assert losses["likelihood"].item() == pytest.approx(expected["neg_log_p_x"], rel=1e-6)
    assert losses["latents"].item() == pytest.approx(expected["kl_latent"], rel=1e-6)
    assert losses["masks"].item() == pytest.approx(expected["kl_mask"], rel=1e-6)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(expected["total"], rel=1e-6)
    total.backward()
    gradients, wanted = public_names.gradients(encoder), renamed(reference["grads"])
    public_names.all_close(gradients, wanted, public_names.of_largest(1e-5), leave_out=[INERT])
    close(gradients[INERT][:3], wanted[INERT][:3], 1e-5 * wanted[INERT].abs().max().item())


def test_three_steps_of_adam(encoder, reference, monkeypatch):
    optimizer = torch.optim.Adam(encoder.parameters())
    for step in reference["train3"]["steps"]:
        give(monkeypatch, step["latent_normal"])
        optimizer.param_groups[0]["lr"] = step["lr"]
        losses = encoder.losses(video(reference))
        total = encoder.total_loss(losses)
        assert total.item() == pytest.approx(step["loss"], rel=1e-5)
        optimizer.zero_grad()
        total.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in encoder.parameters()])
        assert norm.item() == pytest.approx(step["grad_norm_l2"], rel=1e-4)
        optimizer.step()
    after = renamed(reference["train3"]["params_after"])
    public_names.all_close(dict(encoder.named_parameters()), after, 2e-5, leave_out=[INERT])


def test_the_masks_are_those_of_the_other_public_code_too(encoder, reference):
    genesis = reference["genesis_variant"]
    weights = {
        public_names.rename(key, GENESIS_NAMES): value
        for key, value in genesis["state_dict"].items()
        if key.startswith("att_process")
    }
    for name in ("out.weight", "out.bias"):
        weights[name] = torch.cat([weights[name], torch.zeros_like(weights[name])])
    encoder.attention.load_state_dict(weights)
    close(encoder.attend(reference["image"]).exp(), genesis["outputs"]["masks"], 1e-5)


@pytest.mark.parametrize(
    ("argument", "value"), [("num_slots", 1), ("sigma", 0.0), ("image_size", (48, 36))]
)
def test_what_does_not_fit_is_refused_in_one_line(argument, value):
    with pytest.raises(UsageError, match=r"choose") as caught:
        monet(**{argument: value})
    assert "\n" not in str(caught.value)
