"""Published data sets: what is in their original folders comes out, and out of shards too."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace

import miniatures
import numpy as np
import pytest

from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.data.coco import COCO
from ocrl.data.conversion import convert, open_published
from ocrl.data.davis import DAVIS
from ocrl.data.transforms import Fitting
from ocrl.data.voc import VOC
from ocrl.data.youtube_vis import YouTubeVIS
from ocrl.errors import UsageError


def by_hand(masks: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Pixel by pixel: 0 in no mask, its id in one, -1 in several."""
    result = np.zeros(masks.shape[1:], int)
    for place in np.ndindex(*result.shape):
        inside = [number for mask, number in zip(masks, ids, strict=True) if mask[place]]
        result[place] = 0 if not inside else inside[0] if len(inside) == 1 else -1
    return result


def test_coco(made):
    folder, truth = made
    videos = COCO(folder / "coco", "validation")
    assert videos.names == [f"{i + 1:012d}.jpg" for i in range(4)]
    assert videos.lengths.tolist() == [1] * 4
    overlaps = 0
    for i, masks in enumerate(truth["coco"]["val"]):
        image, _ = miniatures.shapes(i, 40 + 4 * i, 60, 0 if i == 3 else 2)
        assert np.abs(videos.frames(i, 0, 1)[0].astype(int) - image).mean() < 6  # JPEG
        expected = by_hand(masks, (1, 2)[: len(masks)])
        assert (videos.segments(i, 0, 1)[0] == expected).all()
        assert (videos.classes(i, 0, 1)[0] == by_hand(masks, (3, 17)[: len(masks)])).all()
        overlaps += int((expected == -1).sum())
    assert overlaps > 50


def test_voc(made):
    folder, truth = made
    videos = VOC(folder / "voc", "validation")
    for i, (objects, classes) in enumerate(truth["voc"]):
        assert (videos.segments(i, 0, 1)[0] == objects).all()
        assert (videos.classes(i, 0, 1)[0] == classes).all()
        assert (objects == -1).any()
    (folder / "voc/ImageSets/Segmentation/trainaug.txt").write_text(
        "/JPEGImages/2007_000001.jpg /SegmentationClassAug/2007_000001.png\n"
    )
    assert VOC(folder / "voc", "train").names == ["2007_000001"]


def test_youtube_vis_holds_out_the_last_300(made):
    folder, truth = made
    training = YouTubeVIS(folder / "ytvis_2021", "train")
    assert training.names == ["0000", "0001", "0002"]
    held_out = YouTubeVIS(folder / "ytvis_2021", "validation")
    assert held_out.names == [f"{v:04x}" for v in range(3, 303)]
    masks = truth["ytvis_2021"]["masks"]
    for t in range(3):
        rolled = np.roll(masks, 2 * t, axis=2)
        rolled[1] &= t > 0
        assert (training.segments(1, t, t + 1)[0] == by_hand(rolled, (1, 2))).all()
        assert (training.classes(1, t, t + 1)[0] == by_hand(rolled, (12, 26))).all()


def test_davis(made):
    folder, truth = made
    videos = DAVIS(folder / "davis", "validation")
    assert videos.names == ["bike-packing"]
    assert (videos.segments(0, 1, 4) == truth["davis"][1:]).all()
    with pytest.raises(UsageError, match="without classes"):
        videos.classes(0, 0, 1)


@pytest.mark.parametrize("name", ["coco", "voc", "davis", "ytvis_2021"])
def test_shards_hold_the_same(made, name, tmp_path):
    folder, _ = made
    original = open_published(name, folder / name, "train")
    options = {"source": folder / name, "progress": False}
    shards = convert(name, "train", tmp_path, **options)
    assert len(shards.lengths) == len(original.lengths)
    assert shards.has_classes == original.has_classes
    for i, length in enumerate(original.lengths):
        assert (shards.frames(i, 0, length) == original.frames(i, 0, length)).all()
        assert (shards.segments(i, 0, length) == original.segments(i, 0, length)).all()
        if original.has_classes:
            assert (shards.classes(i, 0, length) == original.classes(i, 0, length)).all()
    small = convert(name, "train", tmp_path / "small", size=18, limit=1, **options)
    assert min(small.frames(0, 0, 1).shape[1:3]) == 18
    assert small.segments(0, 0, 1).shape == small.frames(0, 0, 1).shape[:3]


def test_images_of_all_sizes_become_clips_of_one(made):
    folder, _ = made
    videos = COCO(folder / "coco", "validation")
    clips = evaluation_clips(videos, 1, 4, image_size=(32, 32), fitting=Fitting("central"))
    for clip in clips:
        assert clip["video"].shape == (1, 32, 32, 3)
        assert clip["segments"].shape == clip["classes"].shape == (1, 32, 32)
    training = ClipDataset(videos, 1, image_size=(32, 32), fitting=Fitting("random", flip=True))
    assert training[0]["video"].shape == (1, 32, 32, 3)


def test_memory_does_not_grow_with_what_was_read(made):
    videos = COCO(made[0] / "coco", "train")
    clips = ClipDataset(videos, 1, image_size=(32, 32), fitting=Fitting("random", flip=True))
    sizes = []
    tracemalloc.start()
    for _ in range(3):
        for index in range(40):
            clips[index]
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[2] - sizes[1] < videos.frames(0, 0, 1).nbytes


def test_an_object_alone_has_channels_too():
    masks = np.zeros((1, 2, 4, 6), bool)
    masks[0, :, 1:3, 2:5] = True
    video = SimpleNamespace(
        lengths=[2],
        masks=lambda *_: (masks, np.array([9])),
        read_frames=lambda *_: np.zeros((2, 4, 6, 3), np.uint8),
    )
    made = YouTubeVIS.arrays(video, 0)["segmentations"]
    assert made.shape[-1] > 1  # one channel would be taken for ids, whose category nobody knows
    assert (made.max(-1) == 9 * masks[0]).all()
