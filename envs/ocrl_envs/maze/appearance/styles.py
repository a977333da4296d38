"""Styles: what a maze's walls, floor and sky look like, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ocrl_envs.maze.appearance.noise import coordinates
from ocrl_envs.maze.appearance.pictures import picture
from ocrl_envs.maze.appearance.texture_families import (
    FLOOR_FAMILIES,
    WALL_FAMILIES,
    Colour,
    Image,
    hsv,
    paint,
    to_image,
)

TEXTURE_SIZE = 128
_STREAMS = {"train": 0, "test": 1}


@dataclass(frozen=True)
class Style:
    """The looks of one maze.

    Attributes:
        wall: uint8 (size, size, 3), one tile per cell, upright.
        floor: uint8 (size, size, 3), one tile per cell.
        zenith: colour of the sky above, float32 (3,) in [0, 1].
        horizon: colour of the sky far away, float32 (3,) in [0, 1].
    """

    wall: Image
    floor: Image
    zenith: Colour
    horizon: Colour


def natural(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour as float32 (3,) in [0, 1], of any hue but pink and magenta."""
    return hsv(0.93 + 0.85 * (hue % 1.0), saturation, value)


@lru_cache(maxsize=512)
def make_style(split: str, index: int) -> Style:
    """Return a style; every index gives another one.

    Args:
        split: "train" or "test": their texture families have nothing in common.
        index: which style of the split.
    """
    rng = np.random.default_rng(np.random.SeedSequence([_STREAMS[split], index, 0]))
    hue = rng.random()
    wall_colour = natural(hue, rng.uniform(0.3, 0.85), rng.uniform(0.5, 0.85))
    floor_colour = natural(
        hue + rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.8), rng.uniform(0.5, 0.95)
    )
    wall_family = WALL_FAMILIES[split][int(rng.integers(len(WALL_FAMILIES[split])))]
    floor_family = FLOOR_FAMILIES[split][int(rng.integers(len(FLOOR_FAMILIES[split])))]
    wall = wall_family(rng, TEXTURE_SIZE, wall_colour)
    rows, _ = coordinates(TEXTURE_SIZE)
    skirting = rows > 0.955
    wall[skirting] = paint(floor_colour * 0.6, np.ones_like(rows))[skirting]
    sky = hsv(rng.uniform(0.5, 0.62), rng.uniform(0.3, 0.55), 1.0)
    return Style(
        wall=to_image(wall),
        floor=to_image(floor_family(rng, TEXTURE_SIZE, floor_colour)),
        zenith=sky,
        horizon=np.minimum(sky * 0.7 + 0.35, 1.0),
    )


@lru_cache(maxsize=512)
def make_picture(split: str, index: int) -> Image:
    """Return a wall picture of a split, uint8 (size, size, 3)."""
    return picture(np.random.SeedSequence([_STREAMS[split], index, 1]), TEXTURE_SIZE)
