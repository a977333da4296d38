"""Published data sets: what is in their original folders comes out, and out of shards too."""

from __future__ import annotations

import json
import math
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import miniatures
import numpy as np
import pytest
from torch.utils.data import DataLoader

from ocrl.data import shard_writer
from ocrl.data.annotated import AnnotatedVideos
from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.data.coco import COCO
from ocrl.data.conversion import convert, open_published
from ocrl.data.davis import DAVIS
from ocrl.data.run_lengths import decode_mask, encode_mask, read_counts
from ocrl.data.transforms import Fitting
from ocrl.data.voc import VOC
from ocrl.data.youtube_vis import YouTubeVIS
from ocrl.errors import UsageError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("published")
    truth = {
        "coco": miniatures.coco(folder / "coco"),
        "voc": miniatures.voc(folder / "voc"),
        "ytvis_2021": miniatures.youtube_vis(folder / "ytvis_2021"),
        "davis": miniatures.davis(folder / "davis"),
    }
    return folder, truth


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


def test_masks_come_back_from_run_lengths():
    mask = np.random.default_rng(0).random((9, 7)) < 0.4
    for encoded in (encode_mask(mask), miniatures.run_lengths(mask)):
        assert (decode_mask(encoded, mask.shape, Path("x.json")) == mask).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_text_of_run_lengths_says_the_same(seed):
    rng = np.random.default_rng(seed)
    mask = np.repeat(rng.random((40, 70)) < rng.random(), 20, axis=0)
    runs = read_counts(encode_mask(mask)["counts"])
    assert runs == miniatures.run_lengths(mask)["counts"]


@pytest.mark.parametrize(
    ("encoded", "match"),
    [
        ({"size": [9, 7], "counts": [10, 20]}, "30 pixels in all"),  # the rest was never written
        ({"size": [9, 7], "counts": [62.5, 0.5]}, "whole numbers"),
        ({"size": [9, 7], "counts": [-1, 64]}, "whole numbers"),
        ({"size": [9, 7], "counts": "0" * 8}, "0 pixels in all"),
        ({"size": [9, 7], "counts": "zz"}, "no digit 'z'"),
        ({"size": [9, 7], "counts": "P"}, "end within a number"),
        ({"size": [9, 7], "counts": "P" * 99}, "too many digits"),
        ({"size": [400_000, 600_000], "counts": "PPYo1"}, "a mask is 400000 x 600000"),
        ({"size": [7, 9], "counts": [63]}, "a mask is 7 x 9"),
    ],
)
def test_run_lengths_of_another_mask_are_refused_before_they_are_decoded(encoded, match):
    with pytest.raises(UsageError, match=match):
        decode_mask(encoded, (9, 7), Path("x.json"))


def read_first(name: str, folder: Path) -> None:
    videos = open_published(name, folder, "validation")
    videos.frames(0, 0, 1)
    videos.segments(0, 0, 1)
    if videos.has_classes:
        videos.classes(0, 0, 1)


def edit(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


ANNOTATIONS = "coco/annotations/instances_val2017.json"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("name", "break_", "match"),
    [
        ("coco", lambda f: shutil.rmtree(f / "coco/val2017"), "no images in .*val2017"),
        (
            "coco",
            lambda f: (f / ANNOTATIONS).unlink(),
            r"cannot read the annotation file .*val2017.json \(there is",
        ),
        ("coco", lambda f: (f / ANNOTATIONS).write_text("[]"), "it is no JSON object"),
        ("coco", lambda f: truncated(f / "coco/val2017/000000000001.jpg"), r"0001\.jpg \("),
        (
            "coco",
            lambda f: edit(f / ANNOTATIONS, lambda c: c["categories"].pop()),
            "category 17, which is not in its list",
        ),
        *(
            (
                "coco",
                lambda f, x=x: edit(f / ANNOTATIONS, lambda c: c["categories"][0].update(id=x)),
                f"a category with id {x}, expected 1 to 255",
            )
            for x in (300, 0, -1)
        ),
        (
            "coco",
            lambda f: edit(f / ANNOTATIONS, lambda c: c["annotations"][0].pop("category_id")),
            r"the annotation file .*val2017.json \(there is no 'category_id'\)",
        ),
        (
            "coco",
            lambda f: edit(f / ANNOTATIONS, lambda c: c["annotations"][0].pop("segmentation")),
            "val2017.json: a mask is neither",
        ),
        (
            "coco",
            lambda f: edit(
                f / ANNOTATIONS,
                lambda c: c["images"][1].update(file_name=c["images"][0]["file_name"]),
            ),
            "val2017.json .two images have the same file_name",
        ),
        (
            "voc",
            lambda f: (f / "voc/JPEGImages/2007_000000.jpg").unlink(),
            "no such file.: copy it again, or leave such files out with data.skip_bad=true",
        ),
        (
            "ytvis_2021",
            lambda f: edit(
                f / "ytvis_2021/train/instances.json",
                lambda c: c["videos"][-1].update(file_names=[]),
            ),
            "instances.json: video 303 has no frames",
        ),
        (
            "coco",
            lambda f: edit(f / ANNOTATIONS, lambda c: c["images"][0].update(width=3)),
            "a mask is 40 x 3, its image 40 x 60",
        ),
        (
            "coco",
            lambda f: edit(f / ANNOTATIONS, lambda c: c["images"].pop(0)),
            "an image that is not in its list",
        ),
        (
            "coco",
            lambda f: edit(
                f / ANNOTATIONS, lambda c: c["annotations"][0].update(segmentation={"counts": 3})
            ),
            "neither polygons nor run lengths",
        ),
        (
            "coco",
            lambda f: edit(
                f / ANNOTATIONS, lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3]])
            ),
            "neither polygons nor run lengths",
        ),
        *(
            (
                "coco",
                lambda f, x=x: edit(
                    f / ANNOTATIONS,
                    lambda c: c["annotations"][0].update(segmentation=[[1, 2, x, 4, 5, 6]]),
                ),
                "a corner is NaN, or far outside",
            )
            for x in (math.nan, math.inf, 1e9)
        ),
        (
            "voc",
            lambda f: miniatures.save_palette(
                f / "voc/SegmentationClass/2007_000000.png", np.full((48, 36), 77)
            ),
            "class 77, PASCAL VOC has 20",
        ),
        ("voc", lambda f: (f / "voc/ImageSets/Segmentation/val.txt").unlink(), "there is no .*val"),
        ("voc", lambda f: (f / "voc/ImageSets/Segmentation/val.txt").write_text("\n"), "nothing"),
        (
            "voc",
            lambda f: miniatures.save(
                f / "voc/SegmentationObject/2007_000000.png", np.zeros((48, 36, 3), np.uint8)
            ),
            "has colours",
        ),
        (
            "voc",
            lambda f: miniatures.save_palette(
                f / "voc/SegmentationObject/2007_000000.png", np.zeros((4, 5), np.uint8)
            ),
            "a mask is 4 x 5, its image 48 x 36",
        ),
        ("davis", lambda f: shutil.rmtree(f / "davis/JPEGImages"), "no frames in .*bike-packing"),
        (
            "ytvis_2021",
            lambda f: (f / "ytvis_2021/train/instances.json").write_text("{"),
            "cannot read the annotation file",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line(made, tmp_path, name, break_, match):
    shutil.copytree(made[0] / name, tmp_path / name)
    break_(tmp_path)
    with pytest.raises(UsageError, match=match) as error:
        read_first(name, tmp_path / name)
    assert "\n" not in str(error.value)


def test_bad_images_are_left_out_only_if_that_is_wanted(made, tmp_path, capsys):
    folder = tmp_path / "coco"
    shutil.copytree(made[0] / "coco", folder)
    truncated(folder / "val2017/000000000002.jpg")
    tolerant: AnnotatedVideos = COCO(folder, "validation", skip_bad=True)
    for _ in range(2):
        assert (tolerant.frames(1, 0, 1) == tolerant.frames(2, 0, 1)).all()
        assert (tolerant.segments(1, 0, 1) == tolerant.segments(2, 0, 1)).all()
    assert tolerant.skipped == ["000000000002.jpg"]
    assert capsys.readouterr().out.count("000000000002.jpg (") == 1
    shards = convert(
        "coco", "validation", tmp_path / "shards", source=folder, skip_bad=True, progress=False
    )
    assert len(shards.lengths) == 3
    with pytest.raises(UsageError, match=r"cannot read the image .*0002\.jpg"):
        convert("coco", "train", tmp_path / "x", source=truncate_train(folder), progress=False)


def test_bad_frames_and_masks_are_left_out_and_counted_by_all_who_load(made, tmp_path, capfd):
    folder = tmp_path / "davis"
    shutil.copytree(made[0] / "davis", folder)
    (folder / "ImageSets/2017/val.txt").write_text("bear\nbike-packing\n")
    truncated(folder / "JPEGImages/480p/bear/00002.jpg")
    truncated(folder / "Annotations_unsupervised/480p/bike-packing/00003.png")
    videos = DAVIS(folder, "validation", skip_bad=True)
    clips = ClipDataset(videos, 1, segments=True)
    good, bad, maskless = clips[1], clips[2], clips[7]
    assert (bad["video"] == clips[6]["video"]).all()  # the other video's, of the same time
    assert (bad["segments"] == clips[6]["segments"]).all()
    assert not (good["video"] == clips[5]["video"]).all() or not (good["segments"] < 0).any()
    assert (maskless["segments"] == -1).all()
    assert (clips[2]["video"] == bad["video"]).all()
    strict = ClipDataset(DAVIS(folder, "validation"), 1, segments=True)
    for index, match in ((2, r"00002\.jpg \("), (7, r"00003\.png \(")):
        with pytest.raises(UsageError, match=match):
            strict[index]
    # found by processes that load, known to the one that asks
    fresh = DAVIS(folder, "validation", skip_bad=True)
    list(DataLoader(ClipDataset(fresh, 1, segments=True), 2, num_workers=2))
    assert fresh.skipped == ["bear", "bike-packing"]


def test_conversion_that_left_images_out_goes_on_where_it_stopped(made, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_writer, "VIDEOS_PER_SHARD", 1)
    folder = tmp_path / "coco"
    shutil.copytree(made[0] / "coco", folder)
    truncated(folder / "train2017/000000000001.jpg")
    options = {"source": folder, "skip_bad": True, "progress": False}
    whole = convert("coco", "train", tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        patch.setattr(COCO, "masks", interrupted(COCO.masks, at=3))
        with pytest.raises(KeyboardInterrupt):
            convert("coco", "train", tmp_path / "parts", **options)
    parts = convert("coco", "train", tmp_path / "parts", **options)
    for i in range(3):
        assert (parts.frames(i, 0, 1) == whole.frames(i, 0, 1)).all()
    assert len(parts.lengths) == len(whole.lengths) == 3


def interrupted(function: Any, at: int) -> Any:
    def call(self: Any, video: int, *arguments: Any) -> Any:
        if video == at:
            raise KeyboardInterrupt
        return function(self, video, *arguments)

    return call


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


def truncate_train(folder: Path) -> Path:
    truncated(folder / "train2017/000000000002.jpg")
    return folder


def test_unknown_names_and_missing_sources_are_one_line(tmp_path):
    with pytest.raises(UsageError, match="did you mean"):
        open_published("cocoo", tmp_path, "train")
    with pytest.raises(UsageError, match="give source=FOLDER"):
        convert("voc", "train", tmp_path)
