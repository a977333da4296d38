"""Published data sets that are not as they should be."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import miniatures
import numpy as np
import pytest
from torch.utils.data import DataLoader

from ocrl.data import shard_writer
from ocrl.data.annotated import AnnotatedVideos
from ocrl.data.clips import ClipDataset
from ocrl.data.coco import COCO
from ocrl.data.conversion import convert, open_published
from ocrl.data.davis import DAVIS
from ocrl.errors import UsageError


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


def truncate_train(folder: Path) -> Path:
    truncated(folder / "train2017/000000000002.jpg")
    return folder


def test_unknown_names_and_missing_sources_are_one_line(tmp_path):
    with pytest.raises(UsageError, match="did you mean"):
        open_published("cocoo", tmp_path, "train")
    with pytest.raises(UsageError, match="give source=FOLDER"):
        convert("voc", "train", tmp_path)
