"""Photographs, and the masks that an encoder gives them: pictures, and run lengths for others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage
from tqdm import tqdm

from ocrl.data.images import read_image
from ocrl.data.run_lengths import encode_mask
from ocrl.data.transforms import interpolate
from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.files import whole_file, write_text
from ocrl.metrics.base import hard_segments
from ocrl.visualization.images import Image, save_image
from ocrl.visualization.segmentation import draw_slots, segment_colours

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


class SegmentedImages(NamedTuple):
    """What was written.

    Attributes:
        folder: has ``<name>.overlay.png``, and ``<name>.masks.png`` with slot ids as palette; the
            name has its suffix where images differ in nothing else.
        run_lengths: JSON, a list with an entry for each slot of each image, as COCO's results.
        num_images: how many.
    """

    folder: Path
    run_lengths: Path
    num_images: int


@torch.inference_mode()
def segment_image(encoder: Encoder, image: Image) -> NDArray[np.uint8]:
    """Return the slot that each pixel of an image belongs to, uint8 (H, W).

    >>> from ocrl.encoders.block_masks import BlockMasks
    >>> segment_image(BlockMasks(), np.zeros((30, 40, 3), np.uint8)).shape
    (30, 40)

    Args:
        encoder: with masks, in eval mode. The image is resized to its image_size as a whole.
        image: uint8 (H, W, 3), of any size.

    Raises:
        UsageError: the encoder's tokens have no place in the image.
    """
    frame = interpolate(torch.tensor(image)[None], encoder.image_size)
    masks = encoder.segment({"video": frame[None].to(encoder.device)})
    if masks is None:
        raise UsageError(
            f"the tokens of {type(encoder).__name__} have no place in the image: segment with a "
            "slot encoder"
        )
    ids = hard_segments(masks, (image.shape[0], image.shape[1]))[0, 0].cpu().numpy()
    return ids.astype(np.uint8)


def find_images(path: str | Path) -> list[Path]:
    """Return an image, or the images of a folder in the order of their names.

    Raises:
        UsageError: there are none.
    """
    path = Path(path)
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not found:
        raise UsageError(f"there is no image at {path}: expected one of {' '.join(SUFFIXES)}")
    return found


def segment_images(
    encoder: Encoder, paths: Sequence[Path], folder: str | Path, *, progress: bool = True
) -> SegmentedImages:
    """Write the masks of images, as pictures and as run lengths.

    Args:
        encoder: with masks, in eval mode.
        paths: image files.
        folder: where the results go.
        progress: show a progress bar.

    Raises:
        UsageError: a file is no image, or the encoder's tokens have no place in it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stems = Counter(path.stem for path in paths)
    results = []
    for path in tqdm(paths, unit="image", disable=not progress):
        image = read_image(path, "copy it again, or take it out of the folder", upright=True)
        ids = segment_image(encoder, image)
        name = path.stem if stems[path.stem] == 1 else path.name
        save_image(folder / f"{name}.overlay.png", draw_slots(image[None], ids[None])[0])
        with whole_file(folder / f"{name}.masks.png") as part:
            masks = PillowImage.fromarray(ids).convert("P")
            masks.putpalette(segment_colours(np.arange(1, 257)).tobytes())
            masks.save(part)
        for slot in np.unique(ids):
            mask = ids == slot
            results.append(
                {
                    "file_name": path.name,
                    "slot": int(slot),
                    "area": int(mask.sum()),
                    "segmentation": encode_mask(mask),
                }
            )
    run_lengths = folder / "segments.json"
    write_text(run_lengths, json.dumps(results))
    return SegmentedImages(folder, run_lengths, len(paths))
