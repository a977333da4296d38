"""Tokens and masks of objects in boxes."""

from __future__ import annotations

import pytest
import torch

import ocrl
from ocrl.encoders.boxes import box_masks, object_tokens


def test_tokens_are_presence_box_and_codes_or_nothing():
    presence = torch.tensor([[[0.9], [0.5]]])
    boxes = torch.tensor([[[0.25, 0.5, -1.0, 1.0], [0.25, 0.5, 0.0, 0.0]]])
    tokens = object_tokens(presence, boxes, torch.full((1, 2, 3), 7.0))
    torch.testing.assert_close(
        tokens[0, 0], torch.tensor([0.9, 0.25, 0.5, 0.0, 1.0, 7.0, 7.0, 7.0])
    )
    assert tokens[0, 1].tolist() == [0.0] * 8


def test_masks_cover_their_boxes_and_leave_the_background():
    presence = torch.tensor([[[1.0], [1.0], [0.0]]])
    boxes = torch.tensor([[[0.5, 0.5, -0.5, -0.5], [0.5, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]])
    masks = box_masks(presence, boxes, (4, 8))[0]
    assert masks.shape == (4, 4, 8)
    torch.testing.assert_close(masks.sum(0), torch.ones(4, 8))
    first, second, absent, background = masks
    assert first[:2, :2].eq(1).all()
    assert first[2:].eq(0).all()
    assert first[:2, 2:4].eq(0.5).all()
    assert second[:2, 2:4].eq(0.5).all()
    assert second[2:, 2:6].eq(1).all()
    assert absent.eq(0).all()
    assert background[:, 6:].eq(1).all()
    assert background[2:, :2].eq(1).all()


def test_masks_grow_and_shrink_by_fractions_of_a_pixel():
    areas = [
        box_masks(torch.ones(1, 1, 1), torch.tensor([[[size, 1.0, 0.0, 0.0]]]), (1, 16))[0, 0].sum()
        for size in (0.5, 0.55, 0.6)
    ]
    torch.testing.assert_close(torch.stack(areas), torch.tensor([8.0, 8.8, 9.6]))


@pytest.mark.parametrize("name", ["space", "scalor"])
def test_steps_run_in_half_precision(name):
    encoder = ocrl.create_encoder(name).eval()
    frames = torch.randint(0, 256, (2, *encoder.image_size, 3), dtype=torch.uint8)
    state = encoder.initial_state(2)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for first in (True, False):
            output = encoder.step(frames, state, torch.full((2,), first))
            state = output.state
    assert torch.isfinite(output.tokens.float()).all()
