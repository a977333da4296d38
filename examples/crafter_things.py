"""Small things: does any segment hold Crafter's creatures, or the player? By the game's own map.

    pip install crafter
    python examples/crafter_things.py                                # k-means, before all training
    python examples/crafter_things.py runs/.../encoder.safetensors   # slots

A creature fills a square of the frame. How well a segment holds it is the intersection of the two
over their union, of the best segment; found are those of which it is at least a half.
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from crafter.objects import Cow, Player, Skeleton, Zombie
from crafter_world import Crafter
from numpy.typing import NDArray

from ocrl import load_encoder
from ocrl.data.clips import resize
from ocrl.encoder import Encoder
from ocrl.encoders.kmeans import BackboneFeatures, KMeans
from ocrl.modules.backbones import MICRO, TimmBackbone

KINDS = {Player: "player", Cow: "creatures", Zombie: "creatures", Skeleton: "creatures"}
COLUMNS, ROWS = 9, 7
"""What a frame shows of the world, around the player; the inventory is below."""
Squares = list[tuple[str, slice, slice]]


def squares(env: Crafter) -> Squares:
    """Return kind, rows and columns of the pixels of each thing in the frame."""
    game = env.game
    side = env.size // COLUMNS
    border = (env.size - side * COLUMNS) // 2
    found = []
    for thing in game._world.objects:
        column, row = thing.pos - game._player.pos + (COLUMNS // 2, ROWS // 2)
        if type(thing) in KINDS and 0 <= column < COLUMNS and 0 <= row < ROWS:
            top, left = border + side * row, border + side * column
            found.append((KINDS[type(thing)], slice(top, top + side), slice(left, left + side)))
    return found


def see(number: int, size: int, seed: int = 0) -> Iterator[tuple[NDArray[np.uint8], Squares]]:
    """Yield every tenth frame of a random policy that shows a creature, and what is where."""
    env = Crafter(size)
    env.action_space.seed(seed)
    frame, _ = env.reset(seed=seed)
    step = 0
    while number:
        frame, _, died, cut, _ = env.step(env.action_space.sample())
        step += 1
        things = squares(env)
        if step % 10 == 0 and any(kind == "creatures" for kind, *_ in things):
            yield frame, things
            number -= 1
        if died or cut:
            env.reset()


def overlap(segments: NDArray[np.integer], rows: slice, columns: slice) -> float:
    """Return the intersection of a square and the best segment over their union.

    Args:
        segments: ids (H, W).
        rows: of the square.
        columns: of the square.
    """
    inside = segments[rows, columns]
    ids, shared = np.unique(inside, return_counts=True)
    sizes = np.array([(segments == each).sum() for each in ids])
    return float((shared / (sizes + inside.size - shared)).max())


@torch.inference_mode()
def overlaps(encoder: Encoder, number: int) -> dict[str, list[float]]:
    """Return the overlaps of all things in so many frames of an encoder's size, by their kind."""
    height, width = encoder.image_size
    found: dict[str, list[float]] = {kind: [] for kind in KINDS.values()}
    for frame, things in see(number, height):
        masks = encoder.segment({"video": torch.from_numpy(frame)[None, None]})[0, 0]
        segments = resize(masks.argmax(0)[None], (height, width))[0].numpy()
        for kind, rows, columns in things:
            found[kind].append(overlap(segments, rows, columns))
    return found


def main(paths: Sequence[str], number: int = 300, sizes: Sequence[int] = (64, 96)) -> None:
    """Print them for encoders in files, or else for k-means on features of the small ViT."""
    encoders: dict[str, Encoder] = {path: load_encoder(path) for path in paths}
    for size in () if paths else sizes:
        features = BackboneFeatures(TimmBackbone(MICRO, (size, size), pretrained=True))
        for k in (7, 12, 16):
            encoders[f"{size} pixels, {k} clusters"] = KMeans(k, features, image_size=(size, size))
    for name, encoder in encoders.items():
        for kind, values in overlaps(encoder, number).items():
            share = np.mean(np.array(values) >= 0.5)
            print(f"{name}: {kind} found {share:.0%}, overlap {np.mean(values):.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
