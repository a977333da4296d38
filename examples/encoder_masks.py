"""Draw what each encoder of a mask comparison makes of the same clip, one row each.

    python examples/encoder_masks.py results/segmentation/movi_a_like docs/images/encoder_masks.jpg

Its pictures show clips below each other: frames, true segments, masks.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROWS = 3
LABEL = 205
"""Pixels beside a row, for a name."""

FRAME, TRUTH, MASKS = range(ROWS)


def main(folder: Path, path: Path) -> None:
    """Draw the first clip of all pictures in a folder.

    Args:
        folder: of the report, with a picture for each contender.
        path: of the picture that is made.
    """
    pictures = sorted(each for each in folder.glob("*.png") if each.stem != "scores")
    rows = [("frames", row_of(pictures[0], FRAME)), ("true segments", row_of(pictures[0], TRUTH))]
    rows += [(name_of(each), row_of(each, MASKS)) for each in pictures]
    height, width = rows[0][1].shape[:2]
    page = Image.new("RGB", (LABEL + width, height * len(rows)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for number, (name, pixels) in enumerate(rows):
        top = number * height
        draw.text((4, top + height // 2 - 8), name, "black", font)
        page.paste(Image.fromarray(pixels), (LABEL, top))
    page.save(path, quality=90, optimize=True)


def row_of(picture: Path, number: int) -> np.ndarray:
    """Return the pixels of a row of the first clip, at half size."""
    image = Image.open(picture).convert("RGB")
    # white lines part the frames of a row
    side = (image.width + 2) // 8
    top = number * side
    part = image.crop((0, top, image.width, top + side - 2))
    return np.asarray(part.resize((part.width * 2 // 3, part.height * 2 // 3), Image.LANCZOS))


def name_of(picture: Path) -> str:
    """Return how a contender is called: ``savi_small, attention``."""
    name = picture.stem.removesuffix("_seed_0").replace("_of_vit_micro_patch4_32.ocrl", "")
    if name.endswith("_attention"):
        return name.removesuffix("_attention") + ", attention"
    return name.replace("_", " ") if name.startswith(("k-means", "block")) else name


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
