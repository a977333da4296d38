from __future__ import annotations

import json
import socket

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ocrl import UsageError
from ocrl.modules.backbones import CNNBackbone, ResNetBackbone, TimmBackbone
from ocrl.modules.backbones.micro import WEIGHTS

SMALL = {"embed_dim": 24, "num_heads": 2, "depth": 2}
NAME = "vit_tiny_patch16_224"


def frames(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8, generator=generator)


def test_vit_tokens_are_those_before_the_final_norm():
    backbone = TimmBackbone(NAME, (224, 224), pretrained=False, model_kwargs=SMALL)
    reference = timm.create_model(NAME, **SMALL).eval()
    reference.load_state_dict(backbone.model.state_dict(), strict=False)
    seen = []
    reference.blocks[-1].register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        reference(backbone.normalise(frames(224, 224)))
    torch.testing.assert_close(backbone(frames(224, 224)), seen[0][:, 1:])


def test_vit_keys_are_the_middle_third():
    backbone = TimmBackbone(NAME, (32, 48), pretrained=False, model_kwargs=SMALL)
    tokens, keys = backbone.tokens_and_keys(frames(32, 48))
    torch.testing.assert_close(tokens, backbone(frames(32, 48)))
    block = backbone.model.blocks[-1]
    inputs = backbone.model.forward_intermediates(
        backbone.normalise(frames(32, 48)),
        indices=[0],
        output_fmt="NLC",
        return_prefix_tokens=False,
        intermediates_only=True,
    )[0]
    projected = block.attn.qkv(block.norm1(inputs))
    torch.testing.assert_close(keys, projected[..., 24:48])
    assert len(block.attn.qkv._forward_hooks) == 0


def test_vit_takes_any_size_that_its_patches_divide():
    backbone = TimmBackbone(NAME, (48, 80), pretrained=False, model_kwargs=SMALL)
    assert backbone.grid_size == (3, 5)
    assert backbone(frames(48, 80)).shape == (2, 15, 24)


def test_register_tokens_are_dropped():
    backbone = TimmBackbone(
        "vit_small_patch14_reg4_dinov2", (28, 28), pretrained=False, model_kwargs=SMALL
    )
    tokens, keys = backbone.tokens_and_keys(frames(28, 28))
    assert tokens.shape == keys.shape == (2, 4, 24)


def test_a_frozen_backbone_stays_as_it_is():
    frozen = TimmBackbone(NAME, (32, 32), pretrained=False, model_kwargs=SMALL).train()
    assert not frozen.model.training
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not frozen(frames(32, 32)).requires_grad
    trained = TimmBackbone(NAME, (32, 32), pretrained=False, frozen=False, model_kwargs=SMALL)
    assert trained.train().model.training
    assert trained(frames(32, 32)).requires_grad


def test_cnn_tokens_lie_row_by_row():
    torch.manual_seed(0)
    backbone = CNNBackbone((16, 24), channels=[8, 5], kernel_sizes=[5, 3], strides=[2, 2])
    image = frames(16, 24)
    changed = image.clone()
    changed[:, 8:, 16:] = 0
    moved = (backbone(image) - backbone(changed)).abs().sum(-1)[0].view(backbone.grid_size) > 1e-6
    assert moved[3, 5]
    assert not moved[0].any()
    assert not moved[:, 0].any()


def test_resnet_keeps_a_grid_of_stride_8():
    torch.manual_seed(0)
    backbone = ResNetBackbone((32, 48))
    assert backbone.grid_size == (4, 6)
    tokens = backbone(frames(32, 48))
    assert tokens.shape == (2, 24, 512)
    tokens.sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())
    torch.testing.assert_close(backbone(frames(32, 48)[:1]), tokens[:1])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="divisible by 8"):
        ResNetBackbone((60, 64))
    with pytest.raises(UsageError, match="do not divide frames of 60x64"):
        TimmBackbone(NAME, (60, 64), pretrained=False)
    with pytest.raises(UsageError, match="divisible by 4"):
        CNNBackbone((62, 64), channels=[8, 8], kernel_sizes=[3, 3], strides=[2, 2])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vit_smal_patch14_dinov2", "did you mean vit_small_patch14_dinov2"),
        ("zzz", "list_models"),
        ("resnet18", "choose a vision transformer"),
        ("vit_tiny_patch16_224.nobody", "weights that timm has"),
        ("eva02_tiny_patch14_224", "no plain vision transformer"),
    ],
)
def test_unknown_backbones_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        TimmBackbone(name, (64, 64), pretrained=False)


def test_arguments_that_timm_does_not_take_are_refused():
    with pytest.raises(UsageError, match="takes no wings"):
        TimmBackbone(NAME, (64, 64), pretrained=False, model_kwargs={"wings": 2})
    with pytest.raises(UsageError, match="cannot build"):
        TimmBackbone(NAME, (64, 64), pretrained=False, model_kwargs={"depth": "deep"})


def test_a_hub_out_of_reach_is_one_line(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(UsageError, match=r"could not be fetched .* pretrained=false") as caught:
        TimmBackbone(NAME, (64, 64))
    assert "\n" not in str(caught.value)


def test_weights_come_with_the_package_and_say_where_they_are_from(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("no network is needed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    backbone = TimmBackbone("vit_micro_patch4_32.ocrl", (64, 64))
    assert WEIGHTS.stat().st_size < 10e6
    saved = load_file(WEIGHTS)
    with safe_open(WEIGHTS, framework="pt") as file:
        notes = json.loads(file.metadata()["metadata"])
    assert {"command", "data", "seed", "nearest neighbours"} <= set(notes)
    for name, weight in backbone.model.state_dict().items():
        assert torch.equal(weight, saved.pop(name).float())
    assert not saved
    assert backbone(frames(64, 64)).shape == (2, 256, 128)
