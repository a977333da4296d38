"""Positions are the moments of masks, told by any encoder that has some."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ocrl
from ocrl import Encoder, EncoderOutput, UsageError
from ocrl.checkpoints.building import class_path
from ocrl.encoders.positions import POSITION_DIM, TokenPositions, positions


def clips(encoder: Encoder, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, 256, (2, 3, *encoder.image_size, 3), dtype=torch.uint8, generator=generator
    )


class Background(Encoder):
    """Two tokens, the second one empty, and a third mask for what is behind them."""

    image_size, num_tokens, token_dim = (8, 8), 2, 3

    def step(self, frames, state, is_first):
        tokens = torch.stack([torch.ones(len(frames), 3), torch.zeros(len(frames), 3)], dim=1)
        masks = torch.full((len(frames), 3, 8, 8), 1 / 3)
        return EncoderOutput(tokens, masks, None)


def test_positions_are_weighted_moments():
    masks = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) ** 8
    actual = positions(masks).numpy()
    y, x = np.meshgrid(np.linspace(-0.8, 0.8, 5), np.linspace(-6 / 7, 6 / 7, 7), indexing="ij")
    for mask, told in zip(masks.flatten(0, 1).numpy(), actual.reshape(-1, 5), strict=True):
        centre = np.average(x, weights=mask), np.average(y, weights=mask)
        spread = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=mask.ravel(), ddof=0)
        expected = [*centre, *np.sqrt(np.diag(spread)), mask.mean()]
        np.testing.assert_allclose(told, expected, rtol=1e-4)


def test_a_mask_of_one_cell_or_none_has_no_extent_and_no_steep_slope():
    masks = torch.zeros(2, 4, 4)
    masks[0, 1, 3] = 1
    masks.requires_grad_()
    told = positions(masks)
    assert told.tolist() == [[0.75, -0.25, 0, 0, 1 / 16], [0, 0, 0, 0, 0]]
    told.sum().backward()
    assert torch.isfinite(masks.grad).all()


def test_empty_tokens_stay_empty_and_the_background_has_no_token():
    output = TokenPositions(Background()).encode_video(clips(Background()))
    assert output.tokens.shape == (2, 3, 2, 3 + POSITION_DIM)
    assert not output.tokens[:, :, 1].any()
    assert torch.allclose(output.tokens[..., 0, -1], torch.tensor(1 / 3))
    assert output.masks.shape[2] == 3


@pytest.mark.parametrize("name", ["slotcontrast", "grid", "savi", "space", "slate"])
@torch.inference_mode()
def test_any_encoder_with_masks_tells_positions_frame_by_frame(name):
    torch.manual_seed(0)
    plain = ocrl.create_encoder(name, image_size=(32, 32)).eval()
    encoder = TokenPositions(plain).eval()
    videos = clips(plain)
    whole, stepped = encoder.encode_video(videos), Encoder.encode_video(encoder, videos)
    torch.testing.assert_close(whole.tokens, stepped.tokens, atol=3e-5, rtol=1e-4)
    expected = plain.encode_video(videos)
    assert whole.tokens.shape[-2:] == (encoder.num_tokens, encoder.token_dim)
    assert torch.equal(whole.tokens[..., : plain.token_dim], expected.tokens)
    assert torch.equal(whole.masks, expected.masks)
    segmented = encoder.segment_step(videos[:, 0], encoder.initial_state(2), torch.ones(2) > 0)
    torch.testing.assert_close(segmented.tokens, whole.tokens[:, 0], atol=3e-5, rtol=1e-4)


@torch.inference_mode()
def test_cells_of_a_grid_are_where_they_are():
    grid = ocrl.create_encoder("grid", image_size=(32, 32)).eval()
    tokens = TokenPositions(grid).encode_video(clips(grid)).tokens[0, 0]
    corner = [-0.75, -0.75, 0, 0, 1 / 16]
    assert tokens[0, -POSITION_DIM:].tolist() == corner
    assert tokens[-1, -POSITION_DIM:].tolist() == [0.75, 0.75, *corner[2:]]


def test_tokens_without_masks_have_no_positions():
    encoder = TokenPositions(ocrl.create_encoder("vector"))
    with pytest.raises(UsageError, match="no masks, and so no positions"):
        encoder.encode_video(clips(encoder))


@torch.inference_mode()
def test_a_saved_encoder_tells_the_same(tmp_path):
    plain = ocrl.create_encoder("slotcontrast")
    encoder = TokenPositions(plain).eval()
    config = {"_target_": class_path(TokenPositions), "encoder": plain.config}
    ocrl.save_encoder(tmp_path / "encoder.safetensors", encoder, config)
    loaded = ocrl.load_encoder(tmp_path / "encoder.safetensors")
    videos = clips(encoder)
    assert torch.equal(loaded.encode_video(videos).tokens, encoder.encode_video(videos).tokens)
