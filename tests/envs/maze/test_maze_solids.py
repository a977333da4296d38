from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from ocrl_envs.maze.appearance.objects import BOX, CONE, CYLINDER, DIAMOND, ELLIPSOID
from ocrl_envs.maze.rendering.solids import enter_solid

# depth below the surface, positive inside, of each unit solid
INSIDE: dict[int, Callable[[np.ndarray], float]] = {
    ELLIPSOID: lambda p: 1 - math.sqrt(p @ p),
    BOX: lambda p: 1 - np.abs(p).max(),
    CYLINDER: lambda p: min(1 - math.hypot(p[0], p[1]), 1 - abs(p[2])),
    CONE: lambda p: min((1 - p[2]) / 2 - math.hypot(p[0], p[1]), 1 + p[2]),
    DIAMOND: lambda p: 1 - abs(p[2]) - math.hypot(p[0], p[1]),
}


@pytest.mark.parametrize("shape", list(INSIDE))
def test_entry_and_normal_against_marching(shape: int) -> None:
    rng = np.random.default_rng(shape)
    inside = INSIDE[shape]
    hits = 0
    for _ in range(150):
        origin = rng.normal(size=3)
        origin *= 3 / np.linalg.norm(origin)
        direction = rng.normal(0, 0.6, 3) - origin
        direction /= np.linalg.norm(direction)
        t, *normal = enter_solid(shape, *origin, *direction)
        path = np.arange(0, 6, 0.004)
        marched = next((s for s in path if inside(origin + s * direction) > 0), math.inf)
        if not math.isfinite(t):
            # only a graze shorter than a step may be seen by the one and not by the other
            crossed = sum(inside(origin + s * direction) > 1e-3 for s in path)
            assert crossed == 0
            continue
        hits += 1
        assert inside(origin + t * direction) == pytest.approx(0, abs=1e-6)
        if math.isfinite(marched):
            assert t <= marched + 1e-9
            assert marched - t < 0.005
        outward = np.array(normal)
        outward /= np.linalg.norm(outward)
        assert outward @ direction < 0
        point = origin + t * direction
        assert inside(point + 1e-4 * outward) < 0
        assert inside(point - 1e-4 * outward) > 0
    assert hits > 40


@pytest.mark.parametrize("shape", list(INSIDE))
def test_behind_and_beside_are_missed(shape: int) -> None:
    assert enter_solid(shape, 3.0, 0.1, 0.1, 1.0, 0.0, 0.0)[0] == math.inf
    assert enter_solid(shape, -3.0, 2.0, 0.0, 1.0, 0.0, 0.0)[0] == math.inf
