"""Sprite scenes: chance decides, flat shapes are drawn, the nearer over the farther."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ocrl_envs.sprites.recipes import SpriteRecipe
from ocrl_envs.sprites.shapes import SHAPES

SAMPLES = 3
"""Samples along each side of a pixel, for smooth edges."""


class SpriteScene(NamedTuple):
    """A video of sprites and the truth about it.

    Attributes:
        video: uint8 (T, H, W, 3).
        segments: uint8 (T, H, W): 0 the ground, i the sprite that most of a pixel's area shows.
        positions: float (T, N, 2): x and y of each sprite's centre, in pixels.
        present: bool (T, N), whether it is there.
    """

    video: NDArray[np.uint8]
    segments: NDArray[np.uint8]
    positions: NDArray[np.float64]
    present: NDArray[np.bool_]


class Sprites(NamedTuple):
    """N sprites: shape names, half sizes in pixels (N,), angles (N,), colours in [0, 1] (N, 3)."""

    shapes: list[str]
    sizes: NDArray[np.float64]
    angles: NDArray[np.float64]
    colours: NDArray[np.float64]


def generate_sprites(recipe: SpriteRecipe, seed: int | np.random.SeedSequence) -> SpriteScene:
    """Return a random scene, the same one for the same seed.

    Args:
        recipe: what it is made of.
        seed: of all that is random in it.

    Example:
        >>> from ocrl_envs.sprites.recipes import moving_sprites
        >>> scene = generate_sprites(moving_sprites(num_frames=3), seed=0)
        >>> scene.video.shape, scene.segments.shape
        ((3, 64, 64, 3), (3, 64, 64))
    """
    rng = np.random.default_rng(seed)
    height, width = recipe.image_size
    number = int(rng.integers(recipe.num_sprites[0], recipe.num_sprites[1] + 1))
    hues = rng.random() + np.arange(number) / max(number, 1) + rng.uniform(-0.08, 0.08, number)
    paints = zip(hues % 1, rng.uniform(0.6, 1, number), rng.uniform(0.6, 1, number), strict=True)
    colours = [colorsys.hsv_to_rgb(*paint) for paint in paints]
    drawn = Sprites(
        shapes=[str(rng.choice(recipe.shapes)) for _ in range(number)],
        sizes=rng.uniform(*recipe.size, number) * height,
        angles=rng.uniform(0, 2 * np.pi, number) if recipe.turned else np.zeros(number),
        colours=np.array(colours).reshape(number, 3) if recipe.coloured else np.ones((number, 3)),
    )
    ground = np.full(3, rng.uniform(*recipe.ground)) if recipe.coloured else np.zeros(3)
    starts = _starts(recipe, drawn.sizes, rng)
    directions = rng.uniform(0, 2 * np.pi, number)
    speeds = recipe.speed * height * rng.uniform(0.3, 1, number)
    velocities = np.stack([np.cos(directions), np.sin(directions)], axis=-1) * speeds[:, None]
    positions = _bounced(
        starts + velocities * np.arange(recipe.num_frames)[:, None, None],
        drawn.sizes[:, None],
        np.array([width, height]),
    )
    present = _presence(recipe, number, rng)
    frames = [
        _draw(drawn, positions[t], present[t], ground, recipe.image_size)
        for t in range(recipe.num_frames)
    ]
    videos, segments = zip(*frames, strict=True)
    return SpriteScene(np.stack(videos), np.stack(segments), positions, present)


def generate_many(recipe: SpriteRecipe, number: int, seed: int) -> Iterator[SpriteScene]:
    """Yield scenes; scene i does not depend on how many there are."""
    for i in range(number):
        yield generate_sprites(recipe, np.random.SeedSequence((seed, i)))


def _starts(
    recipe: SpriteRecipe, sizes: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return where sprites start, (N, 2), within the image, and apart if they are to be."""
    height, width = recipe.image_size
    reach = sizes[:, None]
    for _ in range(1000):
        starts = rng.uniform(reach, np.array([width, height]) - reach)
        distances = np.hypot(*np.moveaxis(starts[:, None] - starts, -1, 0))
        gaps = (distances - reach - sizes)[np.triu_indices(len(sizes), 1)]
        if recipe.overlapping or (gaps > 0).all():
            break
    return starts


def _bounced(
    positions: NDArray[np.float64], margins: NDArray[np.float64], sides: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Reflect positions (T, N, 2) at the image's edges, ``margins`` (N, 1) inside of them."""
    room = sides - 2 * margins
    folded = np.mod(positions - margins, 2 * room)
    return margins + np.where(folded > room, 2 * room - folded, folded)


def _presence(recipe: SpriteRecipe, number: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return when sprites are there, (T, N): each from a frame on, and some only until another."""
    times = np.arange(recipe.num_frames)[:, None]
    late = rng.random(number) > recipe.lifetime
    early = rng.random(number) > recipe.lifetime
    begins = np.where(late, rng.integers(0, recipe.num_frames, number), 0)
    ends = np.where(early, rng.integers(0, recipe.num_frames, number) + 1, recipe.num_frames)
    return (times >= begins) & (times < ends)


def _draw(
    drawn: Sprites,
    positions: NDArray[np.float64],
    present: NDArray[np.bool_],
    ground: NDArray[np.float64],
    image_size: tuple[int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a frame (H, W, 3) and its segments (H, W); later sprites are nearer."""
    height, width = image_size
    rows, columns = ((np.arange(n * SAMPLES) + 0.5) / SAMPLES for n in image_size)
    owner = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for i, (name, size, angle) in enumerate(zip(*drawn[:3], strict=True)):
        if not present[i]:
            continue
        x, y = positions[i]
        # Only where the sprite may be: no shape reaches further than its half size times root 2.
        near = tuple(
            slice(*np.searchsorted(axis, [centre - 1.5 * size, centre + 1.5 * size]))
            for axis, centre in ((rows, y), (columns, x))
        )
        right, down = np.meshgrid((columns[near[1]] - x) / size, (rows[near[0]] - y) / size)
        turned = (
            np.cos(angle) * right + np.sin(angle) * down,
            np.cos(angle) * down - np.sin(angle) * right,
        )
        owner[near][SHAPES[name](*turned)] = i + 1
    samples = owner.reshape(height, SAMPLES, width, SAMPLES).swapaxes(1, 2)
    blocks = samples.reshape(height, width, SAMPLES**2)
    shares = np.stack([(blocks == i).mean(axis=-1) for i in range(len(drawn.sizes) + 1)], axis=-1)
    picture = shares @ np.concatenate([ground[None], drawn.colours])
    return (picture * 255).round().astype(np.uint8), shares.argmax(axis=-1).astype(np.uint8)
