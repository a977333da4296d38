"""Texels: reading them between their places, mixing, shading, writing.

A texel is 0x00BBGGRR in a uint32; red and blue are worked on together, 16 bits apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel

_RED_BLUE = np.uint32(0x00FF00FF)
_GREEN = np.uint32(0x0000FF00)
_8 = np.uint32(8)
_16 = np.uint32(16)
_256 = np.uint32(256)


@kernel
def mix(first: np.uint32, second: np.uint32, weight: np.uint32) -> np.uint32:
    """Return a texel between two, ``weight / 256`` of the way to the second."""
    rest = np.uint32(_256 - weight)
    red_blue = ((first & _RED_BLUE) * rest + (second & _RED_BLUE) * weight) >> _8
    green = ((first & _GREEN) * rest + (second & _GREEN) * weight) >> _8
    return np.uint32((red_blue & _RED_BLUE) | (green & _GREEN))


@kernel
def write(
    frame: npt.NDArray[np.uint8], line: int, column: int, texel: np.uint32, light: np.uint32
) -> None:
    """Write a texel under ``light / 256`` into a pixel."""
    red_blue = (texel & _RED_BLUE) * light
    green = (texel & _GREEN) * light
    frame[line, column, 0] = (red_blue >> _8) & np.uint32(255)
    frame[line, column, 1] = green >> _16
    frame[line, column, 2] = red_blue >> np.uint32(24)


class Strip(NamedTuple):
    """Part of a column of a frame that an upright texture covers.

    Attributes:
        frame: uint8 (H, W, 3), drawn into.
        column: of the frame.
        top: first line to draw.
        bottom: line after the last.
        above: where the texture begins, in lines.
        height: of the texture in lines.
        mixed: uint32, as long as the texture is high, to work in.
    """

    frame: npt.NDArray[np.uint8]
    column: int
    top: int
    bottom: int
    above: float
    height: float
    mixed: npt.NDArray[np.uint32]


@kernel
def paint_upright(
    texture: npt.NDArray[np.uint32],
    start: int,
    size: int,
    strip: Strip,
    along: float,
    light: np.uint32,
) -> None:
    """Draw one column of an upright texture, bilinearly.

    Args:
        texture: uint32, all scales.
        start: of the scale to use.
        size: texels per side at that scale.
        strip: to draw into.
        along: place along the texture from its left side, in [0, 1).
        light: in 1/256.
    """
    u = int((along * size - 0.5 + size) * 256.0)
    weight = np.uint32(u & 255)
    left = start + ((u >> 8) & (size - 1)) * size
    right = start + (((u >> 8) + 1) & (size - 1)) * size
    step = size / strip.height
    place = (strip.top + 0.5 - strip.above) * step - 0.5
    end = place + step * (strip.bottom - strip.top)
    last = size - 1
    mixed = strip.mixed
    for here in range(max(int(place), 0), min(int(end) + 2, size)):
        mixed[here] = mix(texture[left + here], texture[right + here], weight)
    for line in range(strip.top, strip.bottom):
        v = max(int(place * 256.0), 0)
        here = min(v >> 8, last)
        texel = mix(mixed[here], mixed[min(here + 1, last)], np.uint32(v & 255))
        write(strip.frame, line, strip.column, texel, light)
        place += step


@kernel
def sample(
    texture: npt.NDArray[np.uint32], start: int, size: int, across: float, down: float
) -> np.uint32:
    """Return the texel at a place of a texture that repeats, bilinearly.

    Args:
        texture: uint32, all scales.
        start: of the scale to use.
        size: texels per side at that scale.
        across: in tiles, not negative.
        down: in tiles, not negative.
    """
    u = int((across * size - 0.5 + size) * 256.0)
    v = int((down * size - 0.5 + size) * 256.0)
    left = start + ((u >> 8) & (size - 1)) * size
    right = start + (((u >> 8) + 1) & (size - 1)) * size
    here = (v >> 8) & (size - 1)
    below = ((v >> 8) + 1) & (size - 1)
    weight = np.uint32(u & 255)
    upper = mix(texture[left + here], texture[right + here], weight)
    lower = mix(texture[left + below], texture[right + below], weight)
    return mix(upper, lower, np.uint32(v & 255))
