"""Published data sets in miniature: drawn shapes in exactly the folders of the originals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

Masks = np.ndarray


def shapes(seed: int, height: int, width: int, number: int) -> tuple[np.ndarray, Masks]:
    """Return an image of coloured boxes, uint8 (H, W, 3), and their masks, bool (N, H, W)."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(60, 100, 3), np.uint8)
    masks = np.zeros((number, height, width), bool)
    for mask in masks:
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        mask[top : top + height // 3, left : left + width // 3] = True
        image[mask] = rng.integers(120, 256, 3)
    return image, masks


def polygon(mask: np.ndarray) -> list[list[float]]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return [[float(v) for v in (left, top, right, top, right, bottom, left, bottom)]]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed run lengths down the columns, zeros first, written out by hand."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    return {"size": list(mask.shape), "counts": runs if not flat[0] else [0, *runs]}


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95)


def save_palette(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8), mode="P")
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    image.save(path)


def coco(folder: Path, number: int = 4) -> dict[str, list[Masks]]:
    """Write COCO: two instances an image, one crowd, one image without any."""
    truth: dict[str, list[Masks]] = {}
    for split in ("train", "val"):
        images, annotations = [], []
        truth[split] = []
        for i in range(number):
            image, masks = shapes(i, 40 + 4 * i, 60, 0 if i == number - 1 else 2)
            truth[split].append(masks)
            name = f"{i + 1:012d}.jpg"
            save(folder / f"{split}2017" / name, image)
            images.append(
                {"id": i + 7, "file_name": name, "height": image.shape[0], "width": image.shape[1]}
            )
            for k, mask in enumerate(masks):
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": i + 7,
                        "category_id": (3, 17)[k],
                        "iscrowd": 0,
                        "segmentation": polygon(mask) if k else run_lengths(mask),
                    }
                )
            crowd = np.ones(image.shape[:2], bool)
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": i + 7,
                    "category_id": 3,
                    "iscrowd": 1,
                    "segmentation": run_lengths(crowd),
                }
            )
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 3, "name": "car"}, {"id": 17, "name": "cat"}],
        }
        path = folder / f"annotations/instances_{split}2017.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return truth


def voc(folder: Path, number: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write PASCAL VOC: ids 1 and 2, classes 5 and 9, a border of 255 about each."""
    truth = []
    names = [f"2007_{i:06d}" for i in range(number)]
    for i, name in enumerate(names):
        image, masks = shapes(10 + i, 48, 36 + 4 * i, 2)
        objects, classes = np.zeros(image.shape[:2], int), np.zeros(image.shape[:2], int)
        for k, mask in enumerate(masks):
            objects[mask], classes[mask] = k + 1, (5, 9)[k]
        border = np.zeros_like(objects, bool)
        border[:, 1:] |= objects[:, 1:] != objects[:, :-1]
        save(folder / f"JPEGImages/{name}.jpg", image)
        save_palette(folder / f"SegmentationObject/{name}.png", np.where(border, 255, objects))
        save_palette(folder / f"SegmentationClass/{name}.png", np.where(border, 255, classes))
        truth.append((np.where(border, -1, objects), np.where(border, -1, classes)))
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(names) + "\n")
    (lists / "val.txt").write_text("\n".join(names) + "\n")
    return truth


def youtube_vis(folder: Path, number: int = 303, frames: int = 3) -> dict[str, Any]:
    """Write YouTube-VIS with as many videos as it takes to hold 300 out; all but 5 share frames."""
    videos, annotations = [], []
    image, masks = shapes(30, 36, 64, 2)
    for v in range(number):
        name = f"{v:04x}"
        for t in range(frames):
            path = folder / f"train/JPEGImages/{name}/{5 * t:05d}.jpg"
            if v < 5 or v >= number - 2:
                save(path, np.roll(image, 2 * t, axis=1))
        videos.append(
            {
                "id": v + 1,
                "file_names": [f"{name}/{5 * t:05d}.jpg" for t in range(frames)],
                "height": 36,
                "width": 64,
                "length": frames,
            }
        )
        for k, mask in enumerate(masks):
            rolled = [run_lengths(np.roll(mask, 2 * t, axis=1)) for t in range(frames)]
            annotations.append(
                {
                    "id": len(annotations),
                    "video_id": v + 1,
                    "category_id": (12, 26)[k],
                    "segmentations": [None, *rolled[1:]] if k else rolled,
                }
            )
    content = {
        "videos": videos,
        "annotations": annotations,
        "categories": [{"id": 12}, {"id": 26}],
    }
    (folder / "train/instances.json").write_text(json.dumps(content))
    return {"masks": masks, "content": content}


def davis(folder: Path, frames: int = 4) -> np.ndarray:
    """Write DAVIS: one video to train on, one to validate."""
    image, masks = shapes(40, 36, 64, 2)
    ids = np.where(masks[1], 2, np.where(masks[0], 1, 0))
    rolled = np.stack([np.roll(ids, 3 * t, axis=1) for t in range(frames)])
    for split, name in (("train", "bear"), ("val", "bike-packing")):
        for t in range(frames):
            save(folder / f"JPEGImages/480p/{name}/{t:05d}.jpg", np.roll(image, 3 * t, axis=1))
            save_palette(folder / f"Annotations_unsupervised/480p/{name}/{t:05d}.png", rolled[t])
        path = folder / f"ImageSets/2017/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    return rolled


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def record(features: dict[str, list[bytes] | list[int] | list[float]]) -> bytes:
    """Encode a tf.train.Example and frame it, checksums left zero."""
    entries = b""
    for name, values in features.items():
        if isinstance(values[0], bytes):
            feature = field(1, b"".join(field(1, value) for value in values))
        elif isinstance(values[0], float):
            feature = field(2, field(1, np.array(values, "<f4").tobytes()))
        else:
            feature = field(3, field(1, b"".join(map(varint, values))))
        entries += field(1, field(1, name.encode()) + field(2, feature))
    example = field(1, entries)
    return len(example).to_bytes(8, "little") + bytes(4) + example + bytes(4)


def png(image: np.ndarray) -> bytes:
    return bytes(iio.imwrite("<bytes>", image, extension=".png"))


def random_videos(number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        (
            rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8),
            rng.integers(0, 9, (4, 16, 16), dtype=np.uint8),
        )
        for _ in range(number)
    ]


def write_tfds(folder: Path, shards: list[list[tuple[np.ndarray, np.ndarray]]]) -> Path:
    """Write a folder of TensorFlow Datasets with a split ``validation``."""
    inner = folder / "movi_c" / "128x128" / "1.0.0"
    inner.mkdir(parents=True)
    lengths = [str(len(shard)) for shard in shards]
    split = {"name": "validation", "numBytes": "1", "shardLengths": lengths}
    (inner / "dataset_info.json").write_text(json.dumps({"name": "movi_c", "splits": [split]}))
    for i, shard in enumerate(shards):
        data = b"".join(
            record({"video": [*map(png, video)], "segmentations": [*map(png, segments)]})
            for video, segments in shard
        )
        (inner / f"movi_c-validation.tfrecord-{i:05d}-of-{len(shards):05d}").write_bytes(data)
    return inner


def movi(folder: Path) -> None:
    """Write MOVi-C, a split of two videos as TensorFlow Datasets has them."""
    videos = []
    for seed in range(2):
        image, masks = shapes(seed, 32, 32, 2)
        ids = np.where(masks[1], 2, np.where(masks[0], 1, 0)).astype(np.uint8)
        rolled = [(np.roll(image, 2 * t, axis=1), np.roll(ids, 2 * t, axis=1)) for t in range(4)]
        videos.append(tuple(np.stack(part) for part in zip(*rolled, strict=True)))
    write_tfds(folder, [videos])
