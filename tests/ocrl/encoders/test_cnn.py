"""The CNN sees the whole frame, one at a time, and is all there to be trained."""

import torch

from ocrl.encoders.cnn import CNNEncoder
from ocrl.modules.backbones.cnn import CNNBackbone


def make(size=32):
    torch.manual_seed(0)
    backbone = CNNBackbone((size, size), channels=[8, 16], kernel_sizes=[7, 3], strides=[4, 2])
    return CNNEncoder(backbone, token_dim=24)


def test_one_token_that_varies_as_much_as_pixels_do():
    frames = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8)
    output = make().step(frames, None, torch.ones(64, dtype=torch.bool))
    assert output.tokens.shape == (64, 1, 24)
    assert output.masks is output.state is None
    assert 0.1 < output.tokens.std(0).mean() < 2


def test_gradients_reach_every_weight_and_every_pixel():
    encoder = make()
    pixels = torch.rand(1, 3, 32, 32, requires_grad=True)
    features = encoder.backbone.extract(pixels)
    encoder.to_vector(features.flatten(1)).square().sum().backward()
    assert pixels.grad.abs().sum(1).gt(0).float().mean() > 0.9
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
