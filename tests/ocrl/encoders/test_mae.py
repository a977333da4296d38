"""What is hidden is not seen, what is seen costs nothing, patches lie where they are."""

from __future__ import annotations

import math

import pytest
import torch

from ocrl import UsageError
from ocrl.encoders.mae import MAE, mae
from ocrl.modules.patches import patches_of
from ocrl.modules.pixels import images_of
from ocrl.modules.position import sine_positions


@pytest.fixture
def encoder() -> MAE:
    torch.manual_seed(0)
    return mae(image_size=(24, 32), dim=32, num_blocks=2, decoder_dim=16, decoder_blocks=1)


def frames(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 24, 32, 3), dtype=torch.uint8, generator=generator)


def test_patches_are_cut_row_by_row():
    images = images_of(frames())
    patches = patches_of(images, 8)
    assert patches.shape == (2, 12, 192)
    cut = images[1, :, 8:16, 16:24]  # second row, third column
    assert torch.equal(patches[1, 4 + 2], cut.flatten())


def test_the_encoder_does_not_see_what_is_hidden(encoder):
    patches = patches_of(images_of(frames()), 8)
    order = torch.stack([torch.randperm(12) for _ in range(2)])
    assert encoder.num_seen == 3
    changed = patches.clone()
    for row in range(2):
        changed[row, order[row, 3:]] += 1.0
    assert torch.equal(encoder.fill_in(patches, order), encoder.fill_in(changed, order))
    changed[0, order[0, 0]] += 1.0
    assert not torch.equal(encoder.fill_in(patches, order)[0], encoder.fill_in(changed, order)[0])


def test_the_order_of_what_is_seen_does_not_matter(encoder):
    patches = patches_of(images_of(frames()), 8)
    order = torch.randperm(12).expand(2, -1)
    swapped = torch.cat([order[:, [2, 0, 1]], order[:, 3:].flip(1)], dim=1)
    torch.testing.assert_close(encoder.fill_in(patches, order), encoder.fill_in(patches, swapped))


def test_the_loss_is_the_error_on_hidden_patches(encoder, monkeypatch):
    filled = torch.randn(2, 12, 192)
    order = torch.stack([torch.randperm(12) for _ in range(2)])
    monkeypatch.setattr(encoder, "draw_order", lambda batch_size: order)
    monkeypatch.setattr(encoder, "fill_in", lambda patches, order: filled)
    patches = patches_of(images_of(frames()), 8)
    errors = []
    for row in range(2):
        for patch in order[row, 3:].tolist():
            pixels = patches[row, patch]
            target = (pixels - pixels.mean()) / pixels.std()
            errors.append(((filled[row, patch] - target) ** 2).mean())
    loss = encoder.losses({"video": frames().unsqueeze(1)})["reconstruction"]
    torch.testing.assert_close(loss, torch.stack(errors).mean(), rtol=1e-4, atol=0)


def test_other_patches_are_hidden_in_each_step_of_training_and_none_for_an_agent(encoder):
    assert not torch.equal(encoder.draw_order(2), encoder.draw_order(2))
    assert torch.equal(encoder.eval().draw_order(2), encoder.draw_order(2))
    whole = encoder.step(frames(), None, torch.ones(2, dtype=torch.bool)).tokens
    for patch in range(12):
        other = frames()
        row, column = 8 * (patch // 4), 8 * (patch % 4)
        other[:, row : row + 8, column : column + 8] //= 2
        tokens = encoder.step(other, None, torch.ones(2, dtype=torch.bool)).tokens
        assert not torch.equal(tokens, whole)


def test_seen_patches_are_painted_as_they_are(encoder):
    encoder.eval()
    decoded = encoder.reconstruct({"video": frames().unsqueeze(1)})
    images = encoder.to_images(decoded.reconstruction)[:, 0]
    same = patches_of(images_of(images), 8) == patches_of(images_of(frames()), 8)
    shown = set(encoder.eval_order[:3].tolist())
    for patch in range(12):
        assert bool(same[:, patch].all()) == (patch in shown)
    assert torch.equal(encoder.to_images(decoded.target)[:, 0], frames())


def test_position_codes():
    codes = sine_positions((3, 5), 8)
    frequency = 10000 ** (-4 / 8)
    row, column = 2, 3
    angles = [row, row * frequency, column, column * frequency]
    expected = [
        f(a) for pair in (angles[:2], angles[2:]) for f in (math.sin, math.cos) for a in pair
    ]
    torch.testing.assert_close(codes[row * 5 + column], torch.tensor(expected))


@pytest.mark.parametrize(
    "argument",
    [
        {"patch_size": 7},
        {"hidden_share": 1.0},
        {"hidden_share": 0.0},
        {"num_heads": 5},
        {"dim": 98, "num_heads": 2},
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(argument):
    with pytest.raises(UsageError) as caught:
        mae(**argument)
    assert "\n" not in str(caught.value)
