"""Masks of photographs: what is written is what the encoder says, in every form."""

import json

import numpy as np
import pytest
from PIL import Image

from ocrl.data.run_lengths import decode_mask
from ocrl.encoders.block_masks import BlockMasks
from ocrl.errors import UsageError
from ocrl.visualization.photographs import find_images, segment_image, segment_images


def save(path, height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_pictures_and_run_lengths_agree(tmp_path):
    pixels = save(tmp_path / "a.jpg", 60, 90)
    save(tmp_path / "b.PNG", 31, 17)
    (tmp_path / "notes.txt").write_text("x")
    paths = find_images(tmp_path)
    assert [path.name for path in paths] == ["a.jpg", "b.PNG"]
    encoder = BlockMasks(4, 2)
    result = segment_images(encoder, paths, tmp_path / "out", progress=False)
    ids = np.asarray(Image.open(tmp_path / "out/a.masks.png"))
    assert (ids == segment_image(encoder, pixels)).all()
    assert ids.shape == (60, 90)
    assert len(np.unique(ids)) == 4
    assert Image.open(tmp_path / "out/b.overlay.png").size == (17, 31)
    entries = [e for e in json.loads(result.run_lengths.read_text()) if e["file_name"] == "a.jpg"]
    assert sum(entry["area"] for entry in entries) == 60 * 90
    for entry in entries:
        mask = decode_mask(entry["segmentation"], (60, 90), result.run_lengths)
        assert (mask == (ids == entry["slot"])).all()


def test_photographs_are_turned_as_their_camera_noted(tmp_path):
    image = Image.fromarray(np.zeros((20, 50, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # held upright
    image.save(tmp_path / "a.jpg", exif=exif)
    result = segment_images(BlockMasks(), [tmp_path / "a.jpg"], tmp_path / "out", progress=False)
    assert Image.open(tmp_path / "out/a.masks.png").size == (20, 50)
    assert json.loads(result.run_lengths.read_text())[0]["segmentation"]["size"] == [50, 20]


def test_images_of_one_name_keep_their_own_masks(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "a.png"]
    for path, width in zip(paths, (20, 30), strict=True):
        save(path, 10, width)
    segment_images(BlockMasks(), paths, tmp_path / "out", progress=False)
    for path, width in zip(paths, (20, 30), strict=True):
        assert Image.open(tmp_path / f"out/{path.name}.masks.png").size == (width, 10)


def test_more_bits_than_eight_are_refused_not_cut_off(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.full((4, 6), 300, np.uint16)).save(path)
    with pytest.raises(UsageError, match=r"x\.png .*more than 8 bits a colour"):
        segment_images(BlockMasks(), [path], tmp_path, progress=False)


def test_what_cannot_be_segmented_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="there is no image at"):
        find_images(tmp_path)
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(UsageError, match=r"cannot read the image .*x\.png.* take it out"):
        segment_images(BlockMasks(), [tmp_path / "x.png"], tmp_path, progress=False)
