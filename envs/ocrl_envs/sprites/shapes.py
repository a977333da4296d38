"""Outlines of sprites: which points of the plane lie inside a shape of unit size."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Shape = Callable[[Points, Points], NDArray[np.bool_]]
"""Maps x (right) and y (down), in units of the sprite's half size, to inside or not."""


def square(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return whether points lie in a square."""
    return np.maximum(np.abs(x), np.abs(y)) < 0.9


def ellipse(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return whether points lie in an ellipse half as high as wide."""
    inside: NDArray[np.bool_] = x**2 + (2 * y) ** 2 < 1
    return inside


def disc(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return whether points lie in a disc."""
    inside: NDArray[np.bool_] = x**2 + y**2 < 1
    return inside


def triangle(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return whether points lie in an upright triangle with equal sides."""
    inside: NDArray[np.bool_] = (y < 0.5) & (np.sqrt(3) * np.abs(x) < y + 1)
    return inside


def cross(x: Points, y: Points) -> NDArray[np.bool_]:
    """Return whether points lie in a cross of two bars."""
    wide, narrow = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
    return (wide < 1) & (narrow < 0.35)


# Strokes of each digit as polylines on a grid 2 wide and 4 high, from the upper left corner.
STROKES: tuple[tuple[tuple[tuple[float, float], ...], ...], ...] = (
    (((0.5, 0), (1.5, 0), (2, 0.8), (2, 3.2), (1.5, 4), (0.5, 4), (0, 3.2), (0, 0.8), (0.5, 0)),),
    (((0.3, 0.9), (1.1, 0), (1.1, 4)),),
    (((0, 0.8), (0.6, 0), (1.5, 0), (2, 0.7), (1.9, 1.5), (0, 4), (2, 4)),),
    (((0, 0), (2, 0), (0.9, 1.6), (1.7, 2), (2, 2.9), (1.4, 4), (0.4, 4), (0, 3.3)),),
    (((1.5, 4), (1.5, 0), (0, 2.7), (2, 2.7)),),
    (((1.9, 0), (0.2, 0), (0.1, 1.7), (1.3, 1.6), (2, 2.4), (1.8, 3.5), (1, 4), (0, 3.6)),),
    (((1.7, 0), (0.6, 1.2), (0, 2.7), (0.5, 4), (1.5, 4), (2, 3), (1.4, 2.1), (0.2, 2.4)),),
    (((0, 0), (2, 0), (0.7, 4)),),
    (
        ((1, 1.8), (0.2, 1.2), (0.3, 0.3), (1, 0), (1.7, 0.3), (1.8, 1.2), (1, 1.8)),
        ((1, 1.8), (0, 2.7), (0.3, 3.8), (1, 4), (1.7, 3.8), (2, 2.7), (1, 1.8)),
    ),
    (((1.9, 1.4), (1, 2), (0.2, 1.6), (0.1, 0.5), (1, 0), (1.8, 0.5), (1.9, 1.4), (1.4, 4)),),
)


def digit(number: int, thickness: float = 0.14) -> Shape:
    """Return the shape of a digit, drawn with strokes.

    Args:
        number: 0 to 9.
        thickness: half width of a stroke, in units of the sprite's half size.
    """

    def inside(x: Points, y: Points) -> NDArray[np.bool_]:
        nearest = np.full(np.broadcast(x, y).shape, np.inf)
        for stroke in STROKES[number]:
            points = (np.array(stroke) - [1, 2]) / 2.4
            for (x0, y0), (x1, y1) in pairwise(points):
                dx, dy = x1 - x0, y1 - y0
                along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx**2 + dy**2), 0, 1)
                nearest = np.minimum(nearest, np.hypot(x - x0 - along * dx, y - y0 - along * dy))
        covered: NDArray[np.bool_] = nearest < thickness
        return covered

    return inside


SHAPES: dict[str, Shape] = {
    "square": square,
    "ellipse": ellipse,
    "disc": disc,
    "triangle": triangle,
    "cross": cross,
    **{f"digit_{number}": digit(number) for number in range(10)},
}
"""All shapes by name."""
