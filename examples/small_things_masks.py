"""Small things: does any segment hold Breakout's ball? K-means on features, before all training.

    pip install ale-py
    python examples/small_things_masks.py
    python examples/small_things_masks.py runs/.../encoder.safetensors   # trained on cropped frames

What clusters of a frozen backbone's features do not tell apart, slots that attend to the same
features hardly will. For a world of your own, `find` is what says where the thing is.
"""

import sys
from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from ocrl import load_encoder
from ocrl.data.clips import resize
from ocrl.encoder import Encoder
from ocrl.encoders.kmeans import BackboneFeatures, KMeans
from ocrl.modules.backbones import MICRO, TimmBackbone

WHOLE, BELOW_BRICKS = (0, 210), (93, 210)
SIZES = (64, 96, 128)
SLOTS = (7, 12, 16)
Frames = NDArray[np.uint8]


def find(frame: Frames) -> tuple[float, float] | None:
    """Return row and column of the ball: nothing else is between bricks, walls and paddle."""
    rows, columns = np.nonzero(frame[95:188, 8:152].any(axis=-1))
    if not 0 < len(rows) <= 20:  # absent, or dissolving
        return None
    return rows.mean() + 95.5, columns.mean() + 8.5


def see(number: int, seed: int = 0) -> tuple[Frames, NDArray[np.floating]]:
    """Return every third frame of a random policy that shows a ball, and where it is."""
    env = gym.make("ale_py:ALE/Breakout-v5")
    env.action_space.seed(seed)
    frame, _ = env.reset(seed=seed)
    frames, places = [], []
    step = 0
    while len(frames) < number:
        fire = step % 30 == 0
        frame, _, ended, cut, _ = env.step(1 if fire else env.action_space.sample())
        step += 1
        place = find(frame)
        if place is not None and step % 3 == 0:
            frames.append(frame)
            places.append(place)
        if ended or cut:
            frame, _ = env.reset()
    env.close()
    return np.stack(frames), np.array(places)


def has_own(
    segments: NDArray[np.integer], place: NDArray[np.floating], size: tuple[int, int]
) -> bool:
    """Return whether the segment at a place is small, and about it.

    Args:
        segments: ids (h, w).
        place: row and column of the thing, in pixels of the frame.
        size: (height, width) of the frame.
    """
    cell = np.array(size) / segments.shape
    row, column = (place / cell).astype(int)
    own = segments == segments[row, column]
    distance = np.linalg.norm((np.argwhere(own).mean(axis=0) + 0.5) * cell - place)
    return bool(own.mean() < 0.02 and distance < 10)


@torch.inference_mode()
def share(
    encoder: Encoder, frames: Frames, places: NDArray[np.floating], rows: tuple[int, int]
) -> float:
    """Return the share of frames in which the ball has a segment of its own."""
    part = torch.from_numpy(frames[:, slice(*rows)])
    small = resize(part, encoder.image_size)
    found = []
    for frame, place in zip(small, places, strict=True):
        masks = encoder.segment({"video": frame[None, None]})
        segments = masks[0, 0].argmax(0).numpy()
        found.append(has_own(segments, place - [rows[0], 0], part.shape[1:3]))
    return float(np.mean(found))


def main(paths: Sequence[str], number: int = 150, sizes: Sequence[int] = SIZES) -> None:
    """Print the shares."""
    frames, places = see(number)
    for path in paths:
        print(f"{path}: {share(load_encoder(path), frames, places, BELOW_BRICKS):.0%}")
    for rows in () if paths else (WHOLE, BELOW_BRICKS):
        for size in sizes:
            features = BackboneFeatures(TimmBackbone(MICRO, (size, size), pretrained=True))
            shares = {
                k: share(KMeans(k, features, image_size=(size, size)), frames, places, rows)
                for k in SLOTS
            }
            said = ", ".join(f"{k} clusters {value:.0%}" for k, value in shares.items())
            print(f"rows {rows[0]} to {rows[1]}, {size} pixels: {said}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
