from __future__ import annotations

import pytest
import torch

from ocrl import UsageError
from ocrl.encoders import GridEncoder
from ocrl.modules.backbones import CNNBackbone
from ocrl.modules.targets import ColourTarget


def make(**changes: int) -> GridEncoder:
    torch.manual_seed(0)
    size = (16, 32)
    backbone = CNNBackbone(size, channels=[8], kernel_sizes=[3], strides=[2])
    target = ColourTarget(size, patch_size=2)
    arguments = {"token_dim": 24, "target_dim": 3, "block_size": 2, **changes}
    return GridEncoder(backbone, target, **arguments).eval()


def frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 1, 16, 32, 3), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def test_a_change_shows_in_the_tokens_whose_masks_cover_it():
    encoder = make()
    changed = frames()
    changed[:, :, 5:7, 25:27] = 255 - changed[:, :, 5:7, 25:27]
    plain, other = encoder.encode_video(frames()), encoder.encode_video(changed)
    moved = (plain.tokens - other.tokens).abs().sum(dim=-1)[0, 0] > 1e-6
    places = plain.masks[0, 0, moved].sum(dim=0).nonzero().tolist()
    assert places == [[1, 6]]


@torch.inference_mode()
def test_codes_tell_places_apart():
    uniform = torch.zeros(1, 1, 16, 32, 3, dtype=torch.uint8)
    tokens = make().encode_video(uniform).tokens[0, 0]
    distances = torch.cdist(tokens, tokens) + torch.eye(len(tokens))
    assert distances.min() > 0.1


@torch.inference_mode()
def test_each_token_reconstructs_its_own_block():
    encoder = make()
    changed = frames()
    changed[:, :, 5:7, 25:27] = 255 - changed[:, :, 5:7, 25:27]
    plain, other = (encoder.reconstruct({"video": x})[0] for x in (frames(), changed))
    cells = (plain - other).abs().sum(dim=-1).view(8, 16) > 1e-6
    expected = torch.zeros(8, 16, dtype=torch.bool)
    expected[2:4, 12:14] = True
    assert torch.equal(cells, expected)


@torch.inference_mode()
def test_the_pixels_of_a_block_are_in_their_places():
    encoder = make()
    last = encoder.decoder.layers[-1]
    last.weight.zero_()
    last.bias.copy_(torch.arange(12.0))  # channel by channel: upper left, right, lower left, right
    cells = encoder.reconstruct({"video": frames()})[0].view(8, 16, 3)
    assert cells[0, 0].tolist() == [0, 4, 8]
    assert cells[4, 7].tolist() == [1, 5, 9]
    assert cells[5, 6].tolist() == [2, 6, 10]
    assert cells[7, 15].tolist() == [3, 7, 11]


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="blocks of 3 do not divide"):
        make(block_size=3)
    with pytest.raises(UsageError, match="4 frequencies take 16 of the 16"):
        make(token_dim=16)
