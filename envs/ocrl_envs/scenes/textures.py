"""Solid textures: a colour for each point in space, cut by the surface of an object."""

from __future__ import annotations

import math
from typing import Any

from ocrl_envs.scenes.kernel import Vector, kernel, mix, scale, vector

PLAIN, CLOUDS, STRIPES, CHECKER, SPOTS, MARBLE, PATCHES = range(7)


@kernel
def texture_colour(texture: Any, point: Vector) -> Vector:
    """Return the colour of a TEXTURE at a point, linear RGB."""
    kind = texture.kind
    first = vector(texture.colours[0])
    if kind == PLAIN:
        return first
    second = vector(texture.colours[1])
    third = vector(texture.colours[2])
    frequency = texture.frequency
    x = point[0] * frequency + texture.shift[0]
    y = point[1] * frequency + texture.shift[1]
    z = point[2] * frequency + texture.shift[2]
    if kind == CLOUDS:
        share = _ramp(_turbulence(x, y, z), 0.35, 0.65)
        return mix(mix(first, second, share), third, _ramp(_noise(z, x, y), 0.6, 0.8))
    if kind == STRIPES:
        place = x + 0.6 * z + 0.25 * _noise(x, y, z)
        share = _ramp(abs(2.0 * (place - math.floor(place)) - 1.0), 0.45, 0.55)
        return mix(first, second, share)
    if kind == CHECKER:
        parity = (math.floor(x) + math.floor(y) + math.floor(z)) & 1
        return first if parity == 0 else second
    if kind == SPOTS:
        return mix(first, second, _spots(x, y, z))
    if kind == MARBLE:
        wave = math.sin(6.283 * (x + 1.5 * _turbulence(x, y, z)))
        return mix(mix(first, second, 0.5 + 0.5 * wave), third, _ramp(wave, 0.85, 1.0))
    chance = _hash(math.floor(x), math.floor(y), math.floor(z))
    light = 0.75 + 0.25 * _hash(math.floor(z), math.floor(x), math.floor(y))
    return scale(first if chance < 0.45 else second if chance < 0.8 else third, light)


@kernel
def _ramp(value: float, low: float, high: float) -> float:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return share * share * (3.0 - 2.0 * share)


@kernel
def _hash(x: int, y: int, z: int) -> float:
    """Return a number in [0, 1) that depends on three integers alone."""
    mixed = (x * 73856093 ^ y * 19349663 ^ z * 83492791) & 0xFFFFFFFF
    mixed = ((mixed >> 15) ^ mixed) * 0x2C1B3C6D & 0xFFFFFFFF
    mixed = ((mixed >> 12) ^ mixed) * 0x297A2D39 & 0xFFFFFFFF
    return ((mixed >> 15) ^ mixed) / 4294967296.0


@kernel
def _noise(x: float, y: float, z: float) -> float:
    """Return smooth noise in [0, 1]: random values at whole numbers, blended in between."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v), w * w * (3.0 - 2.0 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1.0 - u) * (v if b else 1.0 - v) * (w if c else 1.0 - w)
                total += weight * _hash(i + a, j + b, k + c)
    return total


@kernel
def _turbulence(x: float, y: float, z: float) -> float:
    """Return noise at two scales, in [0, 1]."""
    return 0.67 * _noise(x, y, z) + 0.33 * _noise(2.1 * x, 2.1 * y, 2.1 * z)


@kernel
def _spots(x: float, y: float, z: float) -> float:
    """Return 1 inside and 0 outside of a ball of random size in each cell."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    radius = 0.25 + 0.2 * _hash(i, j, k)
    u, v, w = x - i - 0.5, y - j - 0.5, z - k - 0.5
    return 1.0 - _ramp(math.sqrt(u * u + v * v + w * w), radius - 0.05, radius + 0.05)
