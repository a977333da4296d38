"""Pictures that hang on walls: landmarks, each unlike the others."""

from __future__ import annotations

import numpy as np

from envs.maze.noise import coordinates, fractal_noise
from envs.maze.textures import Image, hsv, to_image

FRAME_WIDTH = 0.06


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
        centre = rng.uniform(0.25, 0.75, 2)
        extent = rng.uniform(0.12, 0.4, 2)
        down, right = (rows - centre[0]) / extent[0], (cols - centre[1]) / extent[1]
        turn = rng.uniform(0, np.pi)
        down, right = (
            np.cos(turn) * down - np.sin(turn) * right,
            np.sin(turn) * down + np.cos(turn) * right,
        )
        inside = [
            np.hypot(down, right) < 1,
            np.maximum(np.abs(down), np.abs(right)) < 1,
            np.abs(down) + np.abs(right) < 1.2,
            np.abs(down * 2.5) < 1,
            np.abs(np.hypot(down, right) - 0.8) < 0.25,
        ][int(rng.integers(5))]
        surface[inside] = hsv(hue + (layer + 1) * 0.27 + rng.uniform(-0.05, 0.05), 0.85, 0.9)
    surface *= 0.85 + 0.25 * fractal_noise(rng, size, (4, 4))[..., None]
    edge = np.minimum(np.minimum(rows, 1 - rows), np.minimum(cols, 1 - cols))
    surface[edge < FRAME_WIDTH] = 0.92 if rng.random() < 0.5 else 0.12
    return to_image(surface)
