"""Croppings equal those of the official data code, and are the same for all frames of a clip."""

import goldens
import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from ocrl.data.transforms import Fitting
from ocrl.errors import UsageError

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])
CASES = {
    "coco_val": "central",
    "coco_val_short_side": "short_side",
    "movi_val": "none",
    "ytvis_val_central": "central",
    "ytvis_val_short_side_resize_central": "short_side",
    "ytvis_val_None": "none",
    "davis_val": "central",
}


@pytest.fixture(scope="module")
def recorded():
    return goldens.load("data_transforms")


def frames_of(recorded, case):
    images = recorded.get(f"{case}.video", recorded.get(f"{case}.image"))
    return images if images.ndim == 4 else images[None]


def masks_of(recorded, case):
    """Return binary masks (objects, T, H, W) in the order of the official code."""
    given = recorded[f"{case}.segmentations"]
    if case.startswith("coco"):
        return given[:, None] > 0
    if given.shape[-1] > 1:
        return given.movedim(-1, 0) > 0
    ids = given[..., 0]
    return torch.stack([ids == i for i in range(int(case.startswith("davis")), int(ids.max()) + 1)])


@pytest.mark.parametrize(("case", "crop"), CASES.items())
def test_frames_are_those_of_the_official_code(recorded, case, crop):
    video = frames_of(recorded, case).float() / 255
    fitted = Fitting(crop)({"video": video}, (56, 56))["video"]
    expected = recorded.get(f"{case}.out_video", recorded.get(f"{case}.out_image"))
    expected = (expected if expected.ndim == 4 else expected[None]).movedim(1, -1)
    torch.testing.assert_close((fitted - MEAN) / STD, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("case", "crop"), CASES.items())
def test_masks_are_those_of_the_official_code(recorded, case, crop):
    expected = recorded[f"{case}.out_segmentations"]
    expected = expected if expected.ndim == 4 else expected[None]
    fitted = [Fitting(crop)({"mask": m.long()}, (56, 56))["mask"] for m in masks_of(recorded, case)]
    fitted = torch.stack(fitted, 1)
    kept = fitted if not case.startswith("davis") else fitted[:, fitted.flatten(2).any(2).any(0)]
    sizes = sorted(kept.sum((0, 2, 3)).tolist())
    assert sizes == sorted(expected.sum((0, 2, 3)).int().tolist())[-len(sizes) :]
    for mask in kept.unbind(1):
        assert any(torch.equal(mask.float(), other) for other in expected.unbind(1))


def test_bilinear_croppings_are_those_of_torchvision(recorded):
    video = frames_of(recorded, "coco_val").float() / 255
    whole = resize(video.movedim(-1, 1), [56], InterpolationMode.BILINEAR, antialias=False)
    fitted = Fitting("short_side", interpolation="bilinear")({"video": video}, (56, 56))["video"]
    torch.testing.assert_close(fitted, center_crop(whole, [56]).movedim(1, -1), atol=1e-5, rtol=0)


def test_bytes_are_the_nearest_to_what_floats_would_be(recorded):
    video = frames_of(recorded, "ytvis_val_central")
    whole = Fitting("central")({"video": video}, (56, 56))["video"]
    exact = Fitting("central")({"video": video.float() / 255}, (56, 56))["video"]
    assert (whole.float() / 255 - exact).abs().max() <= 0.5 / 255 + 1e-6


def test_all_frames_and_segments_of_a_clip_are_cropped_and_mirrored_alike():
    columns = torch.arange(60).expand(3, 40, 60)
    clip = {"video": columns[..., None].expand(-1, -1, -1, 3).to(torch.uint8), "segments": columns}
    seen = set()
    for seed in range(8):
        fitted = Fitting("random", flip=True)(clip, (40, 40), np.random.default_rng(seed))
        assert torch.equal(fitted["video"][..., 0].long(), fitted["segments"])
        assert (fitted["segments"] == fitted["segments"][:1, :1]).all()
        first, last = fitted["segments"][0, 0, [0, -1]].tolist()
        assert abs(last - first) == 39
        seen.add((min(first, last), first > last))
    assert len(seen) == 8
    assert {mirrored for _, mirrored in seen} == {True, False}


def test_what_cannot_be_is_said_in_a_line():
    with pytest.raises(UsageError, match="choose none, central"):
        Fitting("centre")
    with pytest.raises(UsageError, match="choose bicubic or bilinear"):
        Fitting(interpolation="lanczos")
    with pytest.raises(UsageError, match="choose a square"):
        Fitting("random")({"video": torch.zeros(1, 9, 9, 3)}, (4, 6))
