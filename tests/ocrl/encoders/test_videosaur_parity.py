"""The official code's numbers, on random weights: forward, losses, gradients, three Adam steps."""

from __future__ import annotations

from typing import Any

import goldens
import official_names as official
import pytest
import torch

from ocrl.encoders import VideoSAUR
from ocrl.modules.backbones import TimmBackbone
from ocrl.modules.decoders import SlotMixerDecoder
from ocrl.modules.initializers import RandomInitializer
from ocrl.modules.mlp import MLP
from ocrl.modules.slot_attention import SlotAttention
from ocrl.modules.transformer import Transformer
from ocrl.objectives import temporal_similarity_target

# Its gradient is zero but for rounding: adding the same to every key leaves the softmax as it is.
INERT = "decoder.norm_k.bias"


class GivenInitializer(RandomInitializer):
    """Starts from slots that were drawn before, with their gradient to mean and deviation."""

    drawn: torch.Tensor

    def noise(self, batch_size: int) -> torch.Tensor:
        return ((self.drawn - self.mean) / self.log_std.exp()).detach()


@pytest.fixture(scope="module", params=["movi", "ytvis"])
def reference(request: pytest.FixtureRequest) -> dict[str, Any]:
    return goldens.load(f"videosaur_mini_{request.param}")


@pytest.fixture
def encoder(reference: dict[str, Any]) -> VideoSAUR:
    both = "loss_featrec" in reference["losses"]
    encoder = VideoSAUR(
        TimmBackbone(
            "vit_small_patch16_224.dino",
            (64, 64),
            pretrained=False,
            model_kwargs={"img_size": 64, "embed_dim": 32, "num_heads": 2},
        ),
        MLP(32, [64], 16, layer_norm=True),
        GivenInitializer(5, 16),
        SlotAttention(16, 16, mlp=False),
        Transformer(16),
        SlotMixerDecoder(16, 48 if both else 16, [64, 64, 64], (4, 4), num_blocks=3 if both else 2),
        reconstruction_weight=1.0 if both else 0.0,
        temperature=0.25 if both else 0.075,
    )
    official.fill(encoder, reference["state_dict_fp16"])
    encoder.recurrence.initializer.drawn = reference["slots_initial"]
    return encoder


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def test_forward(encoder, reference):
    videos = reference["video_uint8"]
    features, keys = encoder.features_and_keys(videos)
    slots, attention, predicted, _ = encoder.group(features)
    decoded = encoder.reconstruct({"video": videos})
    close(features, reference["backbone_features"], 1e-5)
    close(keys, reference["vit_block_keys12"], 1e-5)
    close(slots, reference["state"], 1e-5)
    close(predicted, reference["state_predicted"], 1e-5)
    close(attention, reference["grouping_masks"], 1e-5)
    close(decoded.reconstruction, reference["decoder_reconstruction"], 1e-5)
    close(decoded.masks.flatten(-2), reference["decoder_masks"], 1e-5)


def test_target(encoder, reference):
    _, keys = encoder.features_and_keys(reference["video_uint8"])
    target = temporal_similarity_target(keys, encoder.temperature)
    close(target.flatten(1, 2), reference["timesim_target"], 1e-5)


def test_losses(encoder, reference):
    losses = encoder.losses({"video": reference["video_uint8"]})
    names = {"temporal_similarity": "loss_timesim", "reconstruction": "loss_featrec"}
    assert {names[name] for name in losses} == reference["losses"].keys()
    for name, value in losses.items():
        assert value.item() == pytest.approx(reference["losses"][names[name]], abs=1e-6)
    assert encoder.total_loss(losses).item() == pytest.approx(reference["total_loss"], abs=1e-6)


def test_gradients(encoder, reference):
    encoder.total_loss(encoder.losses({"video": reference["video_uint8"]})).backward()
    actual, expected = official.gradients(encoder), official.renamed(reference["grads"])
    assert actual.keys() == expected.keys()
    for key, gradient in expected.items():
        close(actual[key], gradient, 2e-5 * min(1.0, gradient.abs().max().item()) + 1e-7)


@pytest.mark.parametrize("run", ["train3_schedule", "train3_constant"])
def test_three_steps_of_adam(encoder, reference, run):
    parameters = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters)
    for step, learning_rate in enumerate(reference[run]["lrs"]):
        encoder.recurrence.initializer.drawn = reference[f"{run}_slots_initial"][step]
        optimizer.param_groups[0]["lr"] = learning_rate
        optimizer.zero_grad()
        loss = encoder.total_loss(encoder.losses({"video": reference["video_uint8"]}))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.05)
        optimizer.step()
        assert loss.item() == pytest.approx(reference[run]["losses"][step], abs=1e-5)
    trained = dict(encoder.named_parameters())
    for key, value in official.renamed(reference[run]["params_after"]).items():
        if key != INERT:
            close(trained[key].detach(), value, 2e-5)


def test_cached_features_change_nothing(encoder, reference):
    videos = reference["video_uint8"]
    batch = {"video": videos}
    cached = {**batch, **encoder.frozen_features().compute(videos)}
    assert encoder.losses(cached) == encoder.losses(batch)
    cached["keys"] = cached["keys"].flip(1)
    assert encoder.losses(cached) != encoder.losses(batch)
