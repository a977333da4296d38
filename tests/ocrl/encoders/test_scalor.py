"""SCALOR's slots: who gets one, who keeps one."""

from __future__ import annotations

import pytest
import torch

from ocrl import UsageError
from ocrl.encoders.scalor import scalor
from ocrl.modules.noise import Noise
from ocrl.modules.object_layers import blend
from ocrl.modules.scalor_objects import Anchor, Found, Tracks, fill_free_slots


def tracks(presences: list[float]) -> Tracks:
    """Return slots whose every number but presence is the slot's, from 1 on."""
    presence = torch.tensor(presences).view(1, -1, 1)
    numbers = torch.arange(1.0, len(presences) + 1).view(1, -1, 1)
    widths = (4, 4, 2, 1, 3, 1, 2, 2)
    return Tracks(presence, *(numbers.expand(-1, -1, width).clone() for width in widths))


def found(presences: list[float]) -> Found:
    """Return cells whose every number but presence is the cell's, from 101 on."""
    presence = torch.tensor(presences).view(1, -1, 1)
    numbers = torch.arange(101.0, 101 + len(presences)).view(1, -1, 1)
    box, what = numbers.expand(-1, -1, 4), numbers.expand(-1, -1, 2)
    return Found(presence, presence, box, torch.zeros_like(box), what, numbers, {})


def test_new_objects_take_free_slots_in_order_and_others_keep_theirs():
    after = fill_free_slots(tracks([0.9, 0.0, 0.4, 0.0, 0.0]), found([0.8, 0.69, 0.95]))
    assert after.presence.flatten().tolist() == pytest.approx([0.9, 0.8, 0.4, 0.95, 0.0])
    assert after.what[0, :, 0].tolist() == [1.0, 101.0, 3.0, 103.0, 0.0]
    # A new object has no past.
    assert after.hidden[0, :, 0].tolist() == [1.0, 0.0, 3.0, 0.0, 0.0]
    assert after.doubt[0, :, 0].tolist() == [1.0, 0.0, 3.0, 0.0, 0.0]


def test_objects_without_a_free_slot_are_not_followed():
    after = fill_free_slots(tracks([0.9, 0.0]), found([0.8, 0.9, 0.99]))
    assert after.what[0, :, 0].tolist() == [1.0, 101.0]


def test_shares_sum_to_one_where_something_is():
    layers = torch.rand(1, 3, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    layers[..., 0, 0] = 0
    shares, alpha = blend(layers)
    covered = torch.ones(1, 1, 4, 4)
    covered[..., 0, 0] = 0
    torch.testing.assert_close(shares.sum(1), covered)
    assert alpha.min() > 0
    assert alpha.max() <= 1


def test_boxes_stay_within_their_anchor():
    anchor = Anchor(size=0.2, size_range=0.1, ratio=2.0, ratio_range=0.5)
    raw = torch.tensor([[0.0, 0.0], [50.0, 50.0], [-50.0, -50.0]])
    width, height = anchor.sizes(raw).unbind(1)
    torch.testing.assert_close((width * height).sqrt(), torch.tensor([0.2, 0.3, 0.1]))
    torch.testing.assert_close(height / width, torch.tensor([2.0, 2.5, 1.5]))


@pytest.mark.parametrize(
    ("side", "cell_size", "cells"), [(32, 8, 16), (32, 16, 4), (64, 8, 64), (64, 16, 16)]
)
def test_small_images_have_small_cells(side, cell_size, cells):
    torch.manual_seed(0)
    encoder = scalor(image_size=(side, side), cell_size=cell_size, num_slots=2)
    videos = torch.rand(1, 2, 3, side, side)
    terms = encoder.objective(videos, Noise(), step=0)
    torch.stack(list(terms.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.background.parameters())
    with torch.no_grad():
        frame = encoder.advance(
            (255 * videos[:, 0]).byte().movedim(1, -1), encoder.initial_state(1)
        )
    assert frame.discovered.presence.shape == (1, cells, 1)
    assert frame.layers.shape[-2:] == (side, side)


def test_what_a_cell_finds_depends_on_the_image_from_the_start():
    torch.manual_seed(0)
    encoder = scalor(image_size=(32, 32), cell_size=8)
    with torch.no_grad():
        frames = torch.randint(0, 256, (16, 32, 32, 3), dtype=torch.uint8)
        logits = encoder.advance(frames, encoder.initial_state(16)).discovered.logit
    assert logits.std(0).mean() > 0.1 * logits.abs().mean()


@pytest.mark.parametrize(("step", "drawn"), [(1, False), (4, False), (5, True)])
def test_objects_are_drawn_after_the_background_has_been(step, drawn):
    torch.manual_seed(0)
    encoder = scalor(image_size=(32, 32), cell_size=8, num_slots=2, background_steps=5)
    terms = encoder.objective(torch.rand(1, 1, 3, 32, 32), Noise(), step)
    terms["reconstruction"].sum().backward()
    objects, background = (
        any((weight.grad != 0).any() for weight in part.parameters())
        for part in (encoder.glimpse_decoder, encoder.background.decoder)
    )
    assert (objects, background) == (drawn, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell_size": 4}, "sides of 8 or 16"),
        ({"image_size": (64, 32)}, "square"),
        ({"num_slots": 0}, "1 object or more"),
        ({"presence_prior": (0.1, 0.0)}, "probability"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        scalor(**arguments)
    assert "\n" not in str(caught.value)
