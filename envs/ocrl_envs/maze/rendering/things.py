"""Pictures of things: rays against their solids, inside the part of the picture they can cover."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.objects import PackedKinds
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.rendering.camera import EYE_HEIGHT, Camera, covered, light_at
from ocrl_envs.maze.rendering.solids import enter_solid
from ocrl_envs.maze.rendering.views import OBJECT, Views

NEAR = 0.05
# towards the light: east, south, up
LIGHT_X, LIGHT_Y, LIGHT_Z = 0.36, -0.48, 0.80
AMBIENT, GLOSS = 0.4, 0.35
SHADOW = 0.45


@kernel
def paint_things(
    state: State,
    kinds: PackedKinds,
    camera: Camera,
    i: int,
    cos: float,
    sin: float,
    wall_depth: npt.NDArray[np.float32],
    views: Views,
) -> None:
    """Draw the things of maze ``i`` over its walls, the furthest first.

    Args:
        state: of all mazes.
        kinds: of things.
        camera: of the picture size.
        i: which maze.
        cos: of the agent's heading.
        sin: of the agent's heading.
        wall_depth: float32 (W,), of the wall in each column.
        views: to draw into.
    """
    num_things = state.kind.shape[1]
    order = np.empty(num_things, np.int64)
    ahead = np.empty(num_things, np.float64)
    furthest = wall_depth.max()
    count = 0
    for thing in range(num_things):
        if not state.present[i, thing]:
            continue
        east = state.place[i, thing, 0] - state.position[i, 0]
        south = state.place[i, thing, 1] - state.position[i, 1]
        depth = east * cos + south * sin
        radius = kinds.radius[state.kind[i, thing]]
        side = abs(south * cos - east * sin)
        if depth < radius * -0.5 or depth - radius > furthest or side - 1.5 * radius > depth:
            continue
        place = count
        while place > 0 and ahead[order[place - 1]] < depth:
            order[place] = order[place - 1]
            place -= 1
        order[place] = thing
        ahead[thing] = depth
        count += 1
    for rank in range(count):
        _paint_thing(state, kinds, camera, i, order[rank], cos, sin, wall_depth, views)


@kernel
def _shade(nx: float, ny: float, nz: float, dx: float, dy: float, dz: float) -> tuple[float, float]:
    """Return the diffuse light and the gloss of a surface with a normal, seen along a ray."""
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz)
    facing = (nx * LIGHT_X + ny * LIGHT_Y + nz * LIGHT_Z) * scale
    diffuse = AMBIENT + (1.0 - AMBIENT) * (0.5 + 0.5 * facing)
    mirrored = 2.0 * facing * scale
    rx, ry, rz = mirrored * nx - LIGHT_X, mirrored * ny - LIGHT_Y, mirrored * nz - LIGHT_Z
    towards = -(rx * dx + ry * dy + rz * dz) / math.sqrt(dx * dx + dy * dy + dz * dz)
    if facing <= 0.0 or towards <= 0.0:
        return diffuse, 0.0
    return diffuse, GLOSS * towards**16


@kernel
def _paint_shadow(pixel: npt.NDArray[np.uint8], east: float, south: float, radius: float) -> None:
    """Darken a floor pixel by its place from the middle of a thing of a radius."""
    near = 1.0 - (east * east + south * south) / (radius * radius)
    if near > 0.0:
        for channel in range(3):
            pixel[channel] = np.uint8(pixel[channel] * (1.0 - SHADOW * min(2.0 * near, 1.0)))


@kernel
def enter_kind(
    kinds: PackedKinds,
    kind: int,
    x: float,
    y: float,
    z: float,
    dx: float,
    dy: float,
    dz: float,
    limit: float,
) -> tuple[float, int, float, float, float]:
    """Return where a ray enters a thing.

    Args:
        kinds: of things.
        kind: of this one.
        x: where the ray starts, east of the thing.
        y: where the ray starts, south of the thing.
        z: where the ray starts, above the floor.
        dx: its direction.
        dy: its direction.
        dz: its direction.
        limit: multiple of the direction beyond which nothing counts.

    Returns:
        Multiple of the direction, ``limit`` for a miss; number of the part, -1 for a miss; and
        the normal there, of any length.
    """
    nearest, hit_part = limit, -1
    nx = ny = nz = 0.0
    for part in range(kinds.first[kind], kinds.first[kind + 1]):
        hx, hy, hz = 1.0 / kinds.half[part, 0], 1.0 / kinds.half[part, 1], 1.0 / kinds.half[part, 2]
        t, px, py, pz = enter_solid(
            kinds.shape[part],
            (x - kinds.centre[part, 0]) * hx,
            (y - kinds.centre[part, 1]) * hy,
            (z - kinds.centre[part, 2]) * hz,
            dx * hx,
            dy * hy,
            dz * hz,
        )
        if t < nearest:
            nearest, hit_part = t, part
            nx, ny, nz = px * hx, py * hy, pz * hz
    return nearest, hit_part, nx, ny, nz


@kernel
def _paint_thing(
    state: State,
    kinds: PackedKinds,
    camera: Camera,
    i: int,
    thing: int,
    cos: float,
    sin: float,
    wall_depth: npt.NDArray[np.float32],
    views: Views,
) -> None:
    """Draw one thing."""
    kind = state.kind[i, thing]
    size = len(camera.slope)
    focal = camera.focal
    east = float(state.place[i, thing, 0]) - float(state.position[i, 0])
    south = float(state.place[i, thing, 1]) - float(state.position[i, 1])
    depth, side = east * cos + south * sin, south * cos - east * sin
    radius, height = float(kinds.radius[kind]), float(kinds.top[kind])
    near, far = max(depth - radius, NEAR), max(depth + radius, NEAR)
    left = (side - radius) / (near if side < radius else far)
    right = (side + radius) / (far if side < -radius else near)
    above = (EYE_HEIGHT - height) / (near if height > EYE_HEIGHT else far)
    below = EYE_HEIGHT / near
    half = size / 2
    first_column, last_column = covered(half + left * focal, half + right * focal, size)
    first_line, last_line = covered(half + above * focal, half + below * focal, size)
    in_colour, with_truth = len(views.frames) > 0, len(views.segments) > 0
    for column in range(first_column, last_column):
        if wall_depth[column] < depth - radius:
            continue
        slope = float(camera.slope[column])
        dx, dy = cos - sin * slope, sin + cos * slope
        for line in range(first_line, last_line):
            dz = (half - line - 0.5) / focal
            nearest, part, nx, ny, nz = enter_kind(
                kinds, kind, -east, -south, EYE_HEIGHT, dx, dy, dz, float(wall_depth[column])
            )
            if part < 0:
                if in_colour and nearest > camera.row_distance[line]:
                    _paint_shadow(
                        views.frames[i, line, column],
                        camera.row_distance[line] * dx - east,
                        camera.row_distance[line] * dy - south,
                        radius,
                    )
                continue
            if with_truth:
                views.segments[i, line, column] = OBJECT + thing
                views.depth[i, line, column] = nearest
            if not in_colour:
                continue
            fade = light_at(nearest)
            diffuse, gloss = _shade(nx, ny, nz, dx, dy, dz)
            for channel in range(3):
                views.frames[i, line, column, channel] = np.uint8(
                    min((kinds.colour[part, channel] * diffuse + 255.0 * gloss) * fade, 255.0)
                )
