"""Crops: what is cut out is there, within the limits, and keeps its colour."""

import pytest
import torch

from ocrl.data.crops import MultiCrop, random_boxes, relight, soften


def plain(**settings):
    return MultiCrop(light=0.0, blur=0.0, **settings)


def test_crops_show_the_part_of_the_frame_that_the_box_says():
    """On a ramp from 0 to 1 a crop has the mean of its centre and the span of its width."""
    ramp = torch.linspace(0, 1, 64).expand(3, 64, 64)
    images = torch.stack([ramp, ramp.transpose(1, 2)])
    torch.manual_seed(0)
    crops = plain(num_small=50, small_area=(0.1, 0.3))._views(images, 50, 16, (0.1, 0.3))
    torch.manual_seed(0)
    boxes = random_boxes(images, 50, (0.1, 0.3)).view(50, 2, 5)
    places = torch.stack([boxes[:, 0, 1] + boxes[:, 0, 3], boxes[:, 1, 2] + boxes[:, 1, 4]], 1) / 2
    expected = (places - 0.5) / 63
    assert crops.mean((2, 3, 4)) == pytest.approx(expected, abs=1e-3)
    widths = (boxes[:, 0, 3] - boxes[:, 0, 1]) / 63 * 15 / 16
    assert crops[:, 0, 0].amax((1, 2)) - crops[:, 0, 0].amin((1, 2)) == pytest.approx(
        widths, abs=1e-2
    )


@pytest.mark.parametrize("area", [(0.05, 0.25), (0.25, 1.0)])
def test_boxes_lie_in_the_frame_and_cover_the_share_asked_for(area):
    images = torch.zeros(300, 3, 48, 64)
    which, left, top, right, bottom = random_boxes(images, 3, area).T
    assert which.tolist() == list(range(300)) * 3
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= 64.001
    assert bottom.max() <= 48.001
    share = (right - left) * (bottom - top) / (48 * 64)
    assert area[0] * 0.75 < share.min() < area[0] * 1.2
    assert area[1] * 0.9 < share.max() <= area[1] * 1.001


def test_half_of_the_crops_are_mirrored():
    ramp = torch.linspace(0, 255, 64).to(torch.uint8).view(1, 1, 64, 1).expand(200, 64, 64, 3)
    torch.manual_seed(0)
    large = plain()(ramp).large[:, :, 0]
    assert 0.4 < (large[..., -1].mean(-1) < large[..., 0].mean(-1)).float().mean() < 0.6


def test_light_changes_and_hue_stays():
    torch.manual_seed(0)
    colour = torch.tensor([0.6, 0.3, 0.2]).view(1, 3, 1, 1).expand(100, 3, 8, 8)
    red, green, blue = relight(colour, 0.25).mean((2, 3)).T
    assert red.std() > 0.03
    hue = (green - blue) / (red - blue)
    assert hue == pytest.approx(torch.full((100,), 0.25), abs=1e-4)


def test_blur_keeps_the_mean_and_flattens():
    images = torch.rand(20, 3, 16, 16)
    soft = soften(images, 0.9)
    assert soft.mean((1, 2, 3)) == pytest.approx(images.mean((1, 2, 3)), abs=0.03)
    assert (soft.std((1, 2, 3)) < images.std((1, 2, 3)) + 1e-6).all()
