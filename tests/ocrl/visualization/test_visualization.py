"""Pictures show what they say they show."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from ocrl.errors import UsageError
from ocrl.visualization import (
    overlay_segments,
    save_image,
    save_video,
    segment_colours,
    segmentation_strip,
    segmentation_video,
)
from ocrl.visualization.segmentation import truth_colours
from ocrl.visualization.titles import number_segments


def test_colours_are_distinct_and_depend_on_the_id_alone() -> None:
    colours = segment_colours(np.arange(16)).astype(int)
    distances = np.abs(colours[:, None] - colours[None]).sum(-1)
    assert distances[~np.eye(16, dtype=bool)].min() > 40
    mixed = np.array([[12291, 3], [0, 12291]])
    alone = segment_colours(np.array([3]))
    assert (segment_colours(mixed)[0, 1] == alone[0]).all()
    assert (segment_colours(mixed)[0, 0] == segment_colours(mixed)[1, 1]).all()
    assert segment_colours(mixed)[1, 0].tolist() == [64, 64, 64]


def test_no_colour_of_the_truth_could_be_taken_for_one_of_a_slot() -> None:
    ids = np.arange(1, 17)
    slots, truth = (colours(ids).astype(float) for colours in (segment_colours, truth_colours))
    distances = np.linalg.norm(slots[:, None] - truth[None], axis=-1)
    assert distances.min() > 60


def test_segments_have_their_number_inside() -> None:
    slots = np.zeros((1, 64, 64), int)
    slots[0, :, 32:] = 1
    slots[0, 0, 0] = 2
    pictures = np.full((1, 64, 64, 3), 90, np.uint8)
    written = number_segments(pictures, slots) != pictures
    assert written[0, :, :32].any()
    assert written[0, :, 32:].any()
    assert not written[0, :6].any(), "where a segment is widest; not at all where it is tiny"
    one_more = slots.copy()
    one_more[0, 40:, :32] = 2
    assert (number_segments(pictures, one_more) != pictures).sum() > written.sum()


def test_large_pictures_have_titles() -> None:
    video, masks = torch.zeros(2, 64, 64, 3, dtype=torch.uint8), torch.rand(2, 3, 8, 8)
    strip = segmentation_strip(video, masks, num_frames=2, height=64)
    assert strip.shape == (2 * 64 + 2, 16 + 2 * 64 + 2 * 2, 3)
    assert 0 < (strip[:64, :16] < 128).sum() < (strip[:64, 18:] < 128).sum()
    assert not (strip[:64, :16] == strip[66:, :16]).all(), "frames and slots are called the same"


def test_overlay_tints_inside_and_whitens_borders() -> None:
    frames = np.full((1, 4, 6, 3), 100, np.uint8)
    segments = np.ones((1, 4, 6), int)
    segments[:, :, 3:] = 2
    drawn = overlay_segments(frames, segments, opacity=0.5)
    first = (0.5 * segment_colours(np.array([1]))[0] + 50).round()
    assert (drawn[0, :, :3] == first).all()
    assert (drawn[0, :, 3] == 255).all()
    assert not (drawn[0, :, 4:] == 255).all()
    assert (overlay_segments(frames, segments * 0, opacity=0) == frames).all()


def test_strip_shows_frames_truth_and_masks_at_their_times() -> None:
    video = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(9, 16, 16, 3) * 20
    segments = torch.zeros(9, 16, 16, dtype=torch.int32)
    masks = torch.zeros(9, 3, 4, 4)
    masks[:4, 0], masks[4:, 2] = 1, 1
    strip = segmentation_strip(video, masks, segments, num_frames=3, height=16)
    assert strip.shape == (3 * 16 + 4, 3 * 16 + 4, 3)
    cells = strip[8::18, 8::18]
    assert cells[0, :, 0].tolist() == [0, 80, 160]
    for column, slot in enumerate([1, 3, 3]):
        expected = overlay_segments(cells[0, column][None, None], np.array([[slot]]))
        assert (cells[2, column] == expected[0, 0]).all()
    without_truth = segmentation_strip(video, masks, num_frames=3, height=16)
    assert (without_truth == np.delete(strip, np.s_[18:36], axis=0)).all()


def test_video_panels_are_the_columns_of_the_strip() -> None:
    video = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8)
    masks, segments = torch.rand(3, 4, 8, 8), torch.randint(0, 5, (3, 16, 16))
    strip = segmentation_strip(video, masks, segments, num_frames=3, height=16)
    for t, frame in enumerate(segmentation_video(video, masks, segments, height=16)):
        column = strip[:, 18 * t : 18 * t + 16]
        for row in range(3):
            panel = frame[:, 18 * row : 18 * row + 16]
            assert (panel == column[18 * row : 18 * row + 16]).all()


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_videos_and_images_come_back(name: str, tmp_path: Path) -> None:
    frames = np.zeros((6, 33, 35, 3), np.uint8)
    frames += np.arange(0, 240, 40, dtype=np.uint8)[:, None, None, None]
    save_video(tmp_path / "new" / name, frames)
    read = iio.imread(tmp_path / "new" / name)
    assert len(read) == 6
    assert np.abs(read[:, :33, :35].astype(int) - frames).max() < 12
    save_image(tmp_path / "a.png", frames[3])
    assert (iio.imread(tmp_path / "a.png") == 120).all()
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {name, "a.png"}


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mp4 or \.gif"):
        save_video(tmp_path / "a.avi", np.zeros((2, 8, 8, 3), np.uint8))
