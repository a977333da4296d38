"""Scores over everything and over things, against cases whose answer is known."""

import math

import numpy as np
import pytest
import torch

from ocrl.data.clips import evaluation_clips
from ocrl.data.videos import ArrayVideos
from ocrl.encoders.block_masks import BlockMasks
from ocrl.metrics.scoring import SegmentationScores, score


def segments():
    """Sky, floor and wall in bands, and two things on them, over two frames."""
    ids = torch.tensor([0, 1, 2]).repeat_interleave(4).view(12, 1).expand(12, 12).clone()
    ids[1:4, 1:4], ids[6:9, 6:9] = 7, 9
    return ids.expand(1, 2, 12, 12)


def test_perfect_segments_score_one_whatever_the_numbering():
    renamed = torch.tensor([5, 3, 4, 0, 0, 0, 0, 1, 0, 2])[segments()]
    scores = SegmentationScores(num_stuff=3)
    scores.update(renamed, segments())
    assert all(value == pytest.approx(1) for value in scores.compute().values())
    assert scores.counts["ari"] == 1
    assert scores.counts["image_mbo"] == 2


def test_merged_stuff_lowers_ari_but_not_the_scores_of_things():
    merged = torch.where(segments() < 3, 0, segments())
    scores = SegmentationScores(num_stuff=3)
    scores.update(merged, segments())
    values = scores.compute()
    assert values["ari"] < 0.5
    assert values["fg_ari"] == values["mbo"] == 1


def test_swapped_things_are_an_error_over_time_alone():
    swapped = segments().clone()
    swapped[:, 1] = torch.tensor([0, 1, 2, 0, 0, 0, 0, 9, 0, 7])[swapped[:, 1]]
    scores = SegmentationScores(num_stuff=3)
    scores.update(swapped, segments())
    values = scores.compute()
    assert values["image_fg_ari"] == 1
    assert values["fg_ari"] < 0.5


def test_things_of_a_size_are_scored_by_themselves():
    truth = segments().clone()
    truth[:, :, 4, 4:11] = 8  # 7 pixels, beside two things of 9
    found = truth.clone()
    found[truth == 8] = 1  # the small one is not found: it is part of the floor
    scores = SegmentationScores(num_stuff=3, extra=["sizes"])
    scores.update(found, truth)
    values, counts = scores.compute(), scores.counts
    floor = int((truth[0, 0] == 1).sum())
    assert values["image_mbo_under_8"] == pytest.approx(7 / (floor + 7))
    assert values["image_mbo_8_to_32"] == 1
    assert counts["image_mbo_under_8"] == counts["image_mbo_8_to_32"] == 2
    assert counts["image_mbo_over_32"] == 0
    assert math.isnan(values["image_mbo_over_32"])


def test_things_that_swap_names_are_tracked_for_half_of_the_time():
    swapped = torch.tensor([0, 0, 0, 0, 0, 0, 0, 7, 0, 9])[segments()]  # stuff is one ground
    swapped[:, 1] = torch.tensor([0, 0, 0, 0, 0, 0, 0, 9, 0, 7])[swapped[:, 1]]
    scores = SegmentationScores(num_stuff=3, extra=["tracking"])
    scores.update(swapped, segments())
    values = scores.compute()
    assert scores.counts["mota"] == 4
    assert values["mota"] == values["switches"] == 0.5
    assert values["misses"] == values["false_positives"] == 0


def test_frames_without_things_are_not_counted_among_things():
    scores = SegmentationScores(num_stuff=3)
    scores.update(segments(), segments().clamp(max=2))
    assert scores.counts["image_fg_ari"] == 0
    assert math.isnan(scores.compute()["fg_ari"])


def test_score_takes_encoders_without_training():
    clip = {
        "video": torch.zeros(2, 12, 12, 3, dtype=torch.uint8),
        "segments": segments()[0].to(torch.int32),
    }
    scores = score(BlockMasks(image_size=(12, 12)), [clip] * 3, num_stuff=3, batch_size=2)
    assert scores.counts["ari"] == 3


def test_categories_are_scored_frame_by_frame_and_apart_from_instances() -> None:
    instances = torch.tensor([[1, 1, 2, 2], [0, 0, 0, -1]]).view(1, 1, 2, 4)
    classes = torch.tensor([[7, 7, 7, 7], [0, 0, 0, -1]]).view(1, 1, 2, 4)
    slots = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 0]]).view(1, 1, 2, 4)
    scores = SegmentationScores()
    scores.update(slots, instances, classes)
    found = scores.compute()
    assert found["image_mbo"] == pytest.approx(0.5)  # one slot over two instances
    assert found["image_mbo_c"] == pytest.approx(1.0)  # which are one category
    assert scores.counts["image_mbo_c"] == 1
    scores.reset()
    scores.update(slots, instances)
    assert "image_mbo_c" not in scores.compute()


def test_whole_videos_of_different_lengths_are_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    segments = rng.integers(0, 3, (9, 64, 64))
    clips = evaluation_clips(ArrayVideos(frames, [2, 3, 4], segments), None, None)
    assert [len(clip["video"]) for clip in clips] == [2, 3, 4]
    whole = score(BlockMasks(), clips, num_stuff=1)
    assert whole.counts["ari"] == 3
    assert whole.counts["image_ari"] == 9
    alone = [score(BlockMasks(), [clip], num_stuff=1).compute()["ari"] for clip in clips]
    assert whole.compute()["ari"] == pytest.approx(np.mean(alone))
