"""Boxes and flow that encoders ask for, against loops over pixels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch.utils.data import Subset

from ocrl.data.annotations import annotated, box_for_each_slot, boxes_of_things, draw_flow
from ocrl.data.clips import ClipDataset, MixedClips
from ocrl.data.shard_writer import write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.transforms import Fitting
from ocrl.data.videos import ArrayVideos
from ocrl.encoders.block_masks import BlockMasks
from ocrl.errors import UsageError
from ocrl_envs.scenes import generate_scene, movi_a_like


class Asking(BlockMasks):
    """Five block masks, that want to be told everything."""

    asks_for = ("boxes", "flow")

    def __init__(self, image_size=(16, 16)):
        super().__init__(5, 1, image_size=image_size)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    recipe = movi_a_like(image_size=(32, 32), num_frames=6)
    scenes = [generate_scene(recipe, seed) for seed in range(2)]
    arrays = [s.arrays() for s in scenes]
    write_shards(lambda first: arrays[first:], folder, "tiny", "train", progress=False)
    return scenes, ShardVideos(folder, "train")


@settings(deadline=None)
@given(
    arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 7)),
    st.integers(1, 6),
    st.integers(0, 3),
)
def test_boxes_hold_their_things_and_no_more(segments, num, num_stuff):
    boxes = boxes_of_things(torch.from_numpy(segments), num, num_stuff)
    assert boxes.shape == (num, 4)
    height, width = segments.shape
    sizes = {i: int((segments == i).sum()) for i in np.unique(segments) if i >= num_stuff}
    chosen = sorted(sorted(sizes, key=lambda i: -sizes[i])[: num - 1])
    expected = np.zeros((num, 4))
    for slot, thing in enumerate(chosen, start=1):
        places = [(y, x) for y in range(height) for x in range(width) if segments[y, x] == thing]
        rows, columns = zip(*places, strict=True)
        expected[slot] = (
            min(rows) / height,
            min(columns) / width,
            (max(rows) + 1) / height,
            (max(columns) + 1) / width,
        )
    np.testing.assert_allclose(boxes, expected, atol=1e-6)


def test_flow_is_drawn_by_direction_and_pace():
    still = torch.zeros(2, 4, 4, 2)
    assert (draw_flow(still) == 255).all()
    right = still.clone()
    right[1, 0, 0] = torch.tensor([4.0, 0.0])
    drawn = draw_flow(right)
    assert (drawn[0] == 255).all()
    assert drawn[1, 0, 0].tolist() == [255, 0, 0]
    # as fast a motion is drawn the same at any scale, but for motion below a pixel per frame
    assert torch.equal(draw_flow(2 * right), drawn)
    faint = draw_flow(right / 40)[1, 0, 0]
    assert faint.tolist()[0] == 255
    assert 200 < int(faint[1]) < 255
    assert not torch.equal(draw_flow(-right)[1, 0, 0], drawn[1, 0, 0])


def test_clips_of_scenes_have_what_is_asked_for(scenes):
    truth, videos = scenes
    clips = annotated(ClipDataset(videos, 3, image_size=(16, 16)), Asking())
    assert len(clips) == 8
    clip = clips[5]  # the second of the second video
    assert clip["flow"].shape == clip["video"].shape == (3, 16, 16, 3)
    assert clip["flow"].dtype == torch.uint8
    first = torch.from_numpy(truth[1].segmentations[1].astype(np.int32))
    assert torch.equal(clip["boxes"], boxes_of_things(first, 5))
    whole = annotated(ClipDataset(videos, 3), Asking((32, 32)))[5]["flow"]
    flow = truth[1].forward_flow[1:4].astype(np.float16).astype(np.float32)
    assert torch.equal(whole, draw_flow(torch.from_numpy(flow)))
    copied = pickle.loads(pickle.dumps(clips))[5]  # as workers get them
    assert all(torch.equal(copied[name], clip[name]) for name in clip)


class Sliding(ArrayVideos):
    """A red thing on grey, that alone moves: to the right."""

    has_flow = True

    def __init__(self):
        segments = np.zeros((2, 96, 144), np.uint8)
        segments[:, 24:48, 72:120] = 1
        frames = np.where(segments[..., None] == 1, [255, 0, 0], [128] * 3).astype(np.uint8)
        super().__init__(frames, [2], segments)

    def flow(self, video, start, stop):
        right = self.segments(video, start, stop) == 1
        return np.stack([4.0 * right, 0.0 * right], axis=-1)


@pytest.mark.parametrize("crop", ["none", "central", "short_side"])
def test_boxes_and_flow_are_cropped_as_the_frames_are(crop):
    size = (48, 48)
    clips = ClipDataset(Sliding(), 2, image_size=size, fitting=Fitting(crop))
    clip = annotated(clips, Asking(size))[0]
    rows, columns = np.nonzero(clip["video"][0, ..., 2].numpy() < 64)
    seen = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    np.testing.assert_allclose(48 * clip["boxes"][1].numpy(), seen, atol=1)
    rows, columns = np.nonzero(clip["flow"][0, ..., 1].numpy() < 128)
    drawn = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    np.testing.assert_allclose(drawn, seen, atol=1)


def test_parts_and_mixtures_of_clips_have_it_too(scenes):
    _, videos = scenes
    plain = ClipDataset(videos, 3)
    expected = annotated(plain, Asking())[2]
    part = annotated(Subset(plain, [2]), Asking())[0]
    mixed = annotated(MixedClips([plain, plain]), Asking())[4]
    for found in (part, mixed):
        assert found.keys() == expected.keys() == {"video", "boxes", "flow"}
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert set(plain[2]) == {"video"}


def test_who_asks_for_nothing_gets_the_clips_as_they_are(scenes):
    clips = ClipDataset(scenes[1], 3)
    assert annotated(clips, BlockMasks()) is clips


def test_what_videos_do_not_have_is_said():
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="no true segments"):
        annotated(ClipDataset(ArrayVideos(frames, [4]), 2), Asking())
    with_segments = ArrayVideos(frames, [4], np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="optical flow, and these videos have none"):
        annotated(ClipDataset(with_segments, 2), Asking())
    with pytest.raises(UsageError, match="no optical flow"):
        with_segments.flow(0, 0, 2)
    with pytest.raises(UsageError, match="ClipDataset or MixedClips"):
        annotated([], Asking())


@pytest.mark.parametrize(
    "box", [[10, 20, 30, 40], [0.5, 0, 0.4, 1], [0, 0.5, 1, 0.5], [-0.1, 0, 1, 1]]
)
def test_boxes_outside_of_the_frame_are_refused(box):
    with pytest.raises(UsageError, match="top < bottom and left < right"):
        box_for_each_slot(torch.tensor([box], dtype=torch.float32), num=3)


@pytest.mark.parametrize("shape", [(3, 4), (1, 3), (4,)])
def test_boxes_that_do_not_fit_are_refused(shape):
    with pytest.raises(UsageError, match=r"expected \(N, 4\)"):
        box_for_each_slot(torch.zeros(shape), num=3)
