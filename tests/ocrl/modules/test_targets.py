from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrl import UsageError
from ocrl.modules.position import PositionEmbedding, grid_coordinates
from ocrl.modules.targets import ColourTarget, FeatureTarget, OpponentColourTarget


def frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, 8, 12, 3), dtype=torch.uint8, generator=generator)


def test_colours_are_means_of_patches():
    actual = ColourTarget((8, 12), patch_size=4)(frames(), frames())
    patch = frames()[1, 2, 4:8, 8:12].numpy().mean((0, 1)) / 255
    np.testing.assert_allclose(actual[1, 2, 5], patch * 2 - 1, atol=1e-5)


def test_opponent_colours_one_by_one():
    target = OpponentColourTarget((8, 12), patch_size=4, luminance_weight=0.25)
    red, green, blue = np.log(frames()[1, 2, 4:8, 8:12].numpy().reshape(16, 3) / 255 + 0.05).T
    channels = [
        0.25 * (red + green + blue) / 3,
        (red - green) / 0.75,
        (blue - (red + green) / 2) / 0.5,
    ]
    expected = [np.sort(channel)[7] for channel in channels]
    np.testing.assert_allclose(target(frames(), frames())[1, 2, 5], expected, atol=1e-5)


def test_a_patch_on_an_edge_has_the_colour_of_its_larger_side():
    target = OpponentColourTarget((4, 4), patch_size=4)
    edge = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    edge[:, :, :3] = torch.tensor([200, 40, 90], dtype=torch.uint8)
    assert target.to_images(target(edge, edge)).flatten().tolist() == [200, 40, 90]


@given(shade=st.floats(0.3, 1.0), colour=st.tuples(*[st.floats(0.3, 1.0)] * 3))
def test_shading_changes_brightness_more_than_hue(shade, colour):
    target = OpponentColourTarget((4, 4), patch_size=4, luminance_weight=1.0)
    lit = torch.tensor(colour)
    change = (target.encode(lit * shade) - target.encode(lit)).abs()
    assert change[1:].max() <= max(0.5 * change[0].item(), 1e-5)


def test_opponent_colours_go_back_to_colours():
    target = OpponentColourTarget((8, 12), patch_size=1)
    assert torch.equal(target.to_images(target(frames(), frames())), frames())


def test_positions_have_the_spread_asked_for():
    position = ColourTarget((64, 64), patch_size=4, position_spread=0.15)(
        torch.zeros(1, 64, 64, 3, dtype=torch.uint8), torch.zeros(0)
    )[0, :, 3:]
    torch.testing.assert_close(position.std(0), torch.full((2,), 0.15), atol=1e-3, rtol=0)
    torch.testing.assert_close(position.mean(0), torch.zeros(2), atol=1e-6, rtol=0)


def test_patches_of_one_pixel_are_the_image_and_back():
    target = ColourTarget((8, 12), patch_size=1)
    pixels = target(frames(), frames())
    assert pixels.min() >= -1
    assert pixels.max() <= 1
    assert torch.equal(target.to_images(pixels), frames())


def test_features_are_given_without_gradient():
    features = torch.rand(2, 3, 5, requires_grad=True)
    assert not FeatureTarget()(frames(), features).requires_grad


def test_patches_that_do_not_divide_the_frame_are_refused():
    with pytest.raises(UsageError, match="patches of 5 do not divide"):
        ColourTarget((8, 12), patch_size=5)


def test_coordinates_run_row_by_row():
    corners = grid_coordinates(2, 3)
    assert corners[0].tolist() == pytest.approx([-2 / 3, -0.5])
    assert corners[1].tolist() == pytest.approx([0, -0.5])
    assert corners[-1].tolist() == pytest.approx([2 / 3, 0.5])


def test_position_embeddings_are_linear_in_the_coordinates():
    embedding = PositionEmbedding((3, 3), 5)
    codes = embedding(torch.zeros(1, 9, 5))[0]
    torch.testing.assert_close(codes[4], embedding.linear.bias)
    torch.testing.assert_close(codes[0] + codes[8], 2 * codes[4])
