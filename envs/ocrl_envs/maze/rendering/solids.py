"""Rays against solids: where a ray enters, and the direction the surface faces there."""

from __future__ import annotations

import math

from ocrl_envs.maze.appearance.objects import BOX, CONE, CYLINDER, ELLIPSOID
from ocrl_envs.maze.kernel import kernel

Hit = tuple[float, float, float, float]

_MISS = (math.inf, 0.0, 0.0, 0.0)


@kernel
def enter_box(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> Hit:
    """Return where a ray enters the cube [-1, 1]^3, and the normal there."""
    near, far = -math.inf, math.inf
    nx = ny = nz = 0.0
    for axis in range(3):
        o, d = (ox, dx) if axis == 0 else ((oy, dy) if axis == 1 else (oz, dz))
        if d == 0.0:
            if abs(o) > 1.0:
                return _MISS
            continue
        sign = -1.0 if d > 0.0 else 1.0
        enter, leave = (sign - o) / d, (-sign - o) / d
        if enter > near:
            near = enter
            nx = sign if axis == 0 else 0.0
            ny = sign if axis == 1 else 0.0
            nz = sign if axis == 2 else 0.0
        far = min(far, leave)
    if near > far or near <= 0.0:
        return _MISS
    return near, nx, ny, nz


@kernel
def enter_ellipsoid(ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> Hit:
    """Return where a ray enters the unit ball, and the normal there."""
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz - 1.0
    inside = b * b - a * c
    if inside < 0.0:
        return _MISS
    t = (-b - math.sqrt(inside)) / a
    if t <= 0.0:
        return _MISS
    return t, ox + t * dx, oy + t * dy, oz + t * dz


@kernel
def enter_round(
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    base: float,
    slope: float,
    low: float,
    high: float,
) -> Hit:
    """Return where a ray enters the side of a body of revolution, and the normal there.

    Its radius at height z is ``base + slope * z`` for z in [low, high]: a cylinder or a cone.
    """
    r0 = base + slope * oz
    rd = slope * dz
    a = dx * dx + dy * dy - rd * rd
    b = ox * dx + oy * dy - r0 * rd
    c = ox * ox + oy * oy - r0 * r0
    inside = b * b - a * c
    if inside < 0.0 or a == 0.0:
        return _MISS
    root = math.sqrt(inside)
    first, second = (-b - root) / a, (-b + root) / a
    if first > second:
        first, second = second, first
    for t in (first, second):
        z = oz + t * dz
        radius = base + slope * z
        if t > 0.0 and low <= z <= high and radius >= 0.0:
            x, y = ox + t * dx, oy + t * dy
            if x * dx + y * dy - slope * radius * dz < 0.0:
                return t, x, y, -slope * radius
    return _MISS


@kernel
def enter_disc(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, z: float, normal: float
) -> Hit:
    """Return where a ray enters the unit disc at height ``z`` that faces up (1) or down (-1)."""
    if dz * normal >= 0.0:
        return _MISS
    t = (z - oz) / dz
    x, y = ox + t * dx, oy + t * dy
    if t <= 0.0 or x * x + y * y > 1.0:
        return _MISS
    return t, 0.0, 0.0, normal


@kernel
def enter_solid(
    shape: int, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float
) -> Hit:
    """Return where a ray enters a unit solid.

    Args:
        shape: ELLIPSOID, CYLINDER, CONE, BOX or DIAMOND.
        ox: origin of the ray, in units of the solid's half extents from its centre.
        oy: the same.
        oz: the same.
        dx: direction of the ray in the same units.
        dy: the same.
        dz: the same.

    Returns:
        The multiple of the direction at which the ray enters, inf if it misses; and the normal
        there, of any length.
    """
    if shape == ELLIPSOID:
        return enter_ellipsoid(ox, oy, oz, dx, dy, dz)
    if shape == BOX:
        return enter_box(ox, oy, oz, dx, dy, dz)
    if shape == CYLINDER:
        side = enter_round(ox, oy, oz, dx, dy, dz, 1.0, 0.0, -1.0, 1.0)
        up = -1.0 if dz > 0.0 else 1.0
        end = enter_disc(ox, oy, oz, dx, dy, dz, up, up)
        return end if end[0] < side[0] else side
    if shape == CONE:
        side = enter_round(ox, oy, oz, dx, dy, dz, 0.5, -0.5, -1.0, 1.0)
        base = enter_disc(ox, oy, oz, dx, dy, dz, -1.0, -1.0)
        return base if base[0] < side[0] else side
    upper = enter_round(ox, oy, oz, dx, dy, dz, 1.0, -1.0, 0.0, 1.0)
    lower = enter_round(ox, oy, oz, dx, dy, dz, 1.0, 1.0, -1.0, 0.0)
    return lower if lower[0] < upper[0] else upper
