"""Texture families for walls and floors: from a seed to one square tile of a cell."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.noise import Plane, cells, coordinates, fractal_noise, value_noise

Image = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.floating[Any]]
Surface = npt.NDArray[np.floating[Any]]
Family = Callable[[np.random.Generator, int, Colour], Surface]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour as float32 (3,) in [0, 1]."""
    red_green_blue: Colour = np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32)
    return red_green_blue


def paint(
    colour: Colour, light: Plane, tint: Plane | None = None, other: Colour | None = None
) -> Surface:
    """Return a surface of a colour under a light, mixed with another colour where tinted."""
    base: Surface = np.broadcast_to(colour, (*light.shape, 3))
    if tint is not None and other is not None:
        base = base + (other - base) * tint[..., None]
    lit: Surface = base * light[..., None]
    return lit


def bevel(depth: Plane, width: float) -> Plane:
    """Return 0 at an edge and 1 further than ``width`` inside."""
    inside: Plane = np.clip(depth / width, 0, 1).astype(np.float32)
    return inside


def soft_step(depth: Plane) -> Plane:
    """Return 0 outside and 1 inside of an edge, with a slope one texel wide."""
    cover: Plane = np.clip(depth * np.float32(len(depth)) + np.float32(0.5), 0, 1)
    return cover


def bricks(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Courses of bricks, each course shifted, each brick of its own shade."""
    rows, cols = coordinates(size)
    courses = int(rng.integers(4, 8))
    per_course = int(rng.integers(2, 4))
    course = (rows * courses).astype(np.int64)
    along = cols * per_course + course % 2 * 0.5
    brick = along.astype(np.int64) % per_course
    shade = rng.uniform(0.8, 1.1, (courses, per_course)).astype(np.float32)[course, brick]
    down, right = rows * courses % 1, along % 1
    gap = np.minimum(
        np.minimum(down, 1 - down) / courses, np.minimum(right, 1 - right) / per_course
    )
    grain = fractal_noise(rng, size, (8, 8))
    light = shade * (0.8 + 0.35 * grain) * (0.55 + 0.45 * bevel(gap, 0.018))
    return paint(colour, light)


def blocks(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Large dressed blocks of unequal widths with bevelled edges."""
    rows, cols = coordinates(size)
    courses = int(rng.integers(2, 5))
    light = np.empty((size, size), np.float32)
    course = (rows * courses).astype(np.int64)
    for number in range(courses):
        cuts = np.sort(rng.uniform(0, 1, int(rng.integers(1, 4))))
        gaps = np.abs(cols[0][:, None] - cuts)
        near = np.minimum(gaps, 1 - gaps).min(axis=1)
        block = np.searchsorted(cuts, cols[0]) % len(cuts)
        shade = rng.uniform(0.82, 1.08, len(cuts))[block]
        here = course[:, 0] == number
        down = rows[here, 0] * courses % 1
        gap = np.minimum(np.minimum(down, 1 - down)[:, None] / courses, near[None, :])
        light[here] = shade * (0.6 + 0.4 * bevel(gap, 0.025))
    return paint(colour, light * (0.85 + 0.3 * fractal_noise(rng, size, (4, 4))))


def portholes(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Plates with round, dark hollows and a bright rim."""
    rows, cols = coordinates(size)
    per_side = int(rng.integers(1, 4))
    down, right = rows * per_side % 1 - 0.5, cols * per_side % 1 - 0.5
    radius = np.sqrt(down**2 + right**2)
    hollow = np.float32(rng.uniform(0.24, 0.34))
    edge = 0.5 - np.maximum(np.abs(down), np.abs(right))
    light = 0.85 + 0.2 * fractal_noise(rng, size, (4, 4))
    light *= 0.75 + 0.25 * bevel(edge, 0.06)
    light *= 1 - (0.5 - 0.15 * down) * soft_step((hollow - radius) / per_side)
    rim = np.exp(-(((radius - hollow) / 0.035) ** 2)).astype(np.float32)
    return paint(colour, light, 0.5 * rim, np.minimum(colour * 1.5 + 0.2, 1.0))


def panels(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Metal panels with rivets in their corners."""
    rows, cols = coordinates(size)
    high, wide = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    down, right = rows * high % 1, cols * wide % 1
    edge_down, edge_right = np.minimum(down, 1 - down) / high, np.minimum(right, 1 - right) / wide
    gap = np.minimum(edge_down, edge_right)
    rivet = soft_step(0.018 - np.hypot(edge_down - 0.05, edge_right - 0.05))
    brushed = value_noise(rng, size, (64, 4))
    number = (rows * high).astype(np.int64) * wide + (cols * wide).astype(np.int64)
    shade = rng.uniform(0.85, 1.05, high * wide).astype(np.float32)[number]
    light = shade * (0.85 + 0.2 * brushed) * (0.5 + 0.5 * bevel(gap, 0.02))
    light *= 1.08 - 0.2 * down
    return paint(colour, light + (0.55 - light) * rivet)


def stone(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Irregular stones in mortar."""
    grid = (int(rng.integers(3, 6)), int(rng.integers(3, 6)))
    number, _, gap = cells(rng, size, grid, jitter=0.8)
    shade = rng.uniform(0.75, 1.1, grid[0] * grid[1]).astype(np.float32)[number]
    grain = fractal_noise(rng, size, (8, 8))
    return paint(colour, shade * (0.75 + 0.4 * grain) * (0.5 + 0.5 * bevel(gap, 0.03)))


def hexagons(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """A honeycomb of two shades."""
    number, centre, gap = cells(rng, size, (4, 4), jitter=0.0)
    tint = rng.choice(np.array([0.0, 1.0], np.float32), 16)[number]
    other = hsv(float(rng.random()), 0.5, 0.7)
    light = (1.05 - 0.9 * centre) * (0.55 + 0.45 * bevel(gap, 0.018))
    return paint(colour, light * (0.9 + 0.2 * fractal_noise(rng, size, (8, 8))), 0.6 * tint, other)


def planks(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Upright boards with a grain."""
    _, cols = coordinates(size)
    boards = int(rng.integers(4, 8))
    board = (cols * boards).astype(np.int64)
    shade = rng.uniform(0.75, 1.08, boards).astype(np.float32)[board]
    right = cols * boards % 1
    gap = np.minimum(right, 1 - right) / boards
    grain = fractal_noise(rng, size, (2, 16), octaves=3)
    return paint(colour, shade * (0.7 + 0.45 * grain) * (0.5 + 0.5 * bevel(gap, 0.012)))


def ground(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Rough ground of two close colours."""
    patches = fractal_noise(rng, size, (4, 4))
    tint = np.clip((patches - 0.45) * 4, 0, 1).astype(np.float32)
    other = np.clip(colour * rng.uniform(0.6, 0.8), 0, 1).astype(np.float32)
    return paint(colour, 0.85 + 0.25 * fractal_noise(rng, size, (16, 16)), tint, other)


def spots(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Soft spots on an even ground."""
    grid = (int(rng.integers(4, 7)), int(rng.integers(4, 7)))
    number, centre, _ = cells(rng, size, grid, jitter=0.9)
    radius = rng.uniform(0.03, 0.08, grid[0] * grid[1]).astype(np.float32)[number]
    tint = np.clip((radius - centre) / 0.02, 0, 1).astype(np.float32)
    darker = rng.random() < 0.6
    other = colour * 0.65 if darker else np.minimum(colour * 1.3 + 0.15, 1.0)
    light = 0.88 + 0.2 * fractal_noise(rng, size, (8, 8))
    return paint(colour, light, 0.8 * tint, other.astype(np.float32))


def flagstones(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Square slabs laid in a checker of two shades."""
    rows, cols = coordinates(size)
    per_side = 2 * int(rng.integers(1, 3))
    down, right = rows * per_side % 1, cols * per_side % 1
    gap = np.minimum(np.minimum(down, 1 - down), np.minimum(right, 1 - right)) / per_side
    odd = ((rows * per_side).astype(np.int64) + (cols * per_side).astype(np.int64)) % 2
    light = (0.8 + 0.2 * odd) * (0.6 + 0.4 * bevel(gap, 0.02))
    return paint(colour, light * (0.85 + 0.3 * fractal_noise(rng, size, (8, 8))))


def waves(rng: np.random.Generator, size: int, colour: Colour) -> Surface:
    """Ripples, like water or swept sand."""
    rows, cols = coordinates(size)
    warp = fractal_noise(rng, size, (3, 3))
    count = int(rng.integers(3, 7))
    ripple = np.sin(2 * np.pi * (count * rows + cols + 1.2 * warp)).astype(np.float32)
    return paint(colour, 0.85 + 0.1 * ripple + 0.15 * warp)


WALL_FAMILIES: dict[str, tuple[Family, ...]] = {
    "train": (bricks, blocks, portholes, panels),
    "test": (stone, hexagons, planks),
}
FLOOR_FAMILIES: dict[str, tuple[Family, ...]] = {
    "train": (ground, spots, flagstones),
    "test": (waves, stone),
}


def to_image(surface: Surface) -> Image:
    """Return a painted surface as uint8 (size, size, 3)."""
    return (np.clip(surface, 0, 1) * 255 + 0.5).astype(np.uint8)
