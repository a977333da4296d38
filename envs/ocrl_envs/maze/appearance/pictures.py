"""Pictures that hang on walls: landmarks, each unlike the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ocrl_envs.maze.appearance.noise import Plane, coordinates, fractal_noise
from ocrl_envs.maze.appearance.texture_families import Image, hsv, soft_step, to_image

FRAME_WIDTH = 0.06

# each is positive inside, in units of the figure's extent
FIGURES: tuple[Callable[[Plane, Plane], Plane], ...] = (
    lambda down, right: 1 - np.hypot(down, right),
    lambda down, right: 1 - np.maximum(np.abs(down), np.abs(right)),
    lambda down, right: 1.2 - np.abs(down) - np.abs(right),
    lambda down, right: 0.4 - np.abs(down),
    lambda down, right: 0.25 - np.abs(np.hypot(down, right) - 0.8),
)


def picture(seed: np.random.SeedSequence, size: int) -> Image:
    """Return an abstract picture in a frame, uint8 (size, size, 3).

    Args:
        seed: of the picture.
        size: texels per side.
    """
    rng = np.random.default_rng(seed)
    rows, cols = coordinates(size)
    hue = rng.random()
    surface = np.broadcast_to(hsv(hue, 0.25, 0.95), (size, size, 3)).copy()
    for layer in range(int(rng.integers(2, 5))):
        colour = hsv(hue + (layer + 1) * 0.27 + rng.uniform(-0.05, 0.05), 0.85, 0.9)
        cover = _figure(rng, rows, cols)
        surface += (colour - surface) * cover[..., None]
    surface *= 0.85 + 0.25 * fractal_noise(rng, size, (4, 4))[..., None]
    edge = np.minimum(np.minimum(rows, 1 - rows), np.minimum(cols, 1 - cols))
    surface[edge < FRAME_WIDTH] = 0.92 if rng.random() < 0.5 else 0.12
    return to_image(surface)


def _figure(rng: np.random.Generator, rows: Plane, cols: Plane) -> Plane:
    """Return how much of each texel a random figure covers."""
    centre, extent = rng.uniform(0.25, 0.75, 2), rng.uniform(0.12, 0.4, 2)
    turn = float(rng.uniform(0, np.pi))
    down = (rows - np.float32(centre[0])) / np.float32(extent[0])
    right = (cols - np.float32(centre[1])) / np.float32(extent[1])
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    inside = FIGURES[int(rng.integers(len(FIGURES)))](
        cos * down - sin * right, sin * down + cos * right
    )
    return soft_step(inside * np.float32(extent.min()))
