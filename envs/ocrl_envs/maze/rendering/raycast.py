"""The renderer: one ray per column finds the wall, rows above and below follow from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.looks import Looks
from ocrl_envs.maze.appearance.objects import PackedKinds
from ocrl_envs.maze.dynamics.state import State
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.layout.maps import Maps
from ocrl_envs.maze.rendering.camera import EYE_HEIGHT, Camera, covered, light_at
from ocrl_envs.maze.rendering.texels import Strip, mix, paint_upright, sample, write
from ocrl_envs.maze.rendering.things import paint_things
from ocrl_envs.maze.rendering.views import FLOOR, PICTURE, SKY, WALL, Views

PICTURE_LOW, PICTURE_HIGH = 0.22, 0.78
# light on wall faces that look south, north, east and west
FACE_LIGHT = np.array([1.0, 0.82, 0.94, 0.88], np.float32)


class WallHit(NamedTuple):
    """Where a ray meets a wall.

    Attributes:
        distance: multiple of the ray's direction.
        along: place on the wall from its left end, in [0, 1).
        row: of the wall.
        col: of the wall.
        upright: 0 for a wall that runs east, 1 for one that runs south.
        side: 0 for its north or west side, 1 for its south or east side.
    """

    distance: float
    along: float
    row: int
    col: int
    upright: int
    side: int


@kernel
def cast_ray(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    x: float,
    y: float,
    dx: float,
    dy: float,
) -> WallHit:
    """Follow a ray from cell to cell to the first wall (Amanatides and Woo, 1987).

    Args:
        horizontal: int16 (rows + 1, cols), wall runs, -1: open.
        vertical: int16 (rows, cols + 1), wall runs, -1: open.
        x: where the ray starts.
        y: where the ray starts.
        dx: its direction.
        dy: its direction.
    """
    row, col = int(y), int(x)
    step_x, step_y = (1 if dx > 0.0 else -1), (1 if dy > 0.0 else -1)
    ahead_x, ahead_y = (1 if dx > 0.0 else 0), (1 if dy > 0.0 else 0)
    per_x = abs(1.0 / dx) if dx != 0.0 else math.inf
    per_y = abs(1.0 / dy) if dy != 0.0 else math.inf
    next_x = abs(col + ahead_x - x) * per_x if dx != 0.0 else math.inf
    next_y = abs(row + ahead_y - y) * per_y if dy != 0.0 else math.inf
    while True:
        if next_x < next_y:
            if vertical[row, col + ahead_x] >= 0:
                along = y + next_x * dy - row
                along = along if dx > 0.0 else 1.0 - along
                return WallHit(next_x, along, row, col + ahead_x, 1, 1 - ahead_x)
            col += step_x
            next_x += per_x
        else:
            if horizontal[row + ahead_y, col] >= 0:
                along = x + next_y * dx - col
                along = 1.0 - along if dy > 0.0 else along
                return WallHit(next_y, along, row + ahead_y, col, 0, 1 - ahead_y)
            row += step_y
            next_y += per_y


@kernel
def render(
    maps: Maps,
    state: State,
    looks: Looks,
    kinds: PackedKinds,
    camera: Camera,
    which: npt.NDArray[np.int64],
    views: Views,
) -> None:
    """Draw what the agents see.

    Args:
        maps: all layouts.
        state: of all mazes.
        looks: of the environment.
        kinds: of things.
        camera: of the picture size.
        which: int64, the mazes to draw.
        views: to draw into, each maze at its own place.
    """
    wall_depth = np.empty(len(camera.slope), np.float32)
    for i in which:
        cos, sin = math.cos(state.heading[i]), math.sin(state.heading[i])
        _paint_maze(maps, state, looks, camera, i, cos, sin, wall_depth, views)
        paint_things(state, kinds, camera, i, cos, sin, wall_depth, views)


@kernel
def _paint_maze(
    maps: Maps,
    state: State,
    looks: Looks,
    camera: Camera,
    i: int,
    cos: float,
    sin: float,
    wall_depth: npt.NDArray[np.float32],
    views: Views,
) -> None:
    """Draw sky, walls, pictures and floor of maze ``i``, and note the wall of each column."""
    layout = state.layout[i]
    horizontal, vertical = maps.horizontal[layout], maps.vertical[layout]
    x, y = float(state.position[i, 0]), float(state.position[i, 1])
    style, num_styles = state.style[i, 0], len(looks.zenith)
    wall, floor = looks.texels[style], looks.texels[num_styles + style]
    mixed = np.empty(camera.texture_size, np.uint32)
    in_colour = len(views.frames) > 0
    frame = views.frames[i if in_colour else 0]
    size = len(camera.slope)
    sky = np.empty(size, np.uint32)
    for line in range(size):
        sky[line] = mix(looks.zenith[style], looks.horizon[style], camera.row_haze[line])
    for column in range(size):
        slope = camera.slope[column]
        dx, dy = cos - sin * slope, sin + cos * slope
        hit = cast_ray(horizontal, vertical, x, y, dx, dy)
        wall_depth[column] = hit.distance
        height = camera.focal / hit.distance
        above = size / 2 - (1.0 - EYE_HEIGHT) * height
        top, bottom = covered(above, above + height, size)
        picture = _picture_at(maps, layout, hit)
        first = last = bottom
        if picture >= 0:
            part = PICTURE_HIGH - PICTURE_LOW
            picture_above = above + PICTURE_LOW * height
            first, last = covered(picture_above, picture_above + part * height, size)
        if len(views.segments) > 0:
            run = vertical[hit.row, hit.col] if hit.upright else horizontal[hit.row, hit.col]
            segments, depth = views.segments[i, :, column], views.depth[i, :, column]
            segments[:top], depth[:top] = SKY, math.inf
            segments[top:bottom], depth[top:bottom] = WALL + run, hit.distance
            segments[first:last] = PICTURE + picture
            segments[bottom:], depth[bottom:] = FLOOR, camera.row_distance[bottom:]
        if not in_colour:
            continue
        light = light_at(hit.distance) * FACE_LIGHT[2 * hit.upright + hit.side]
        # a column covers more of a wall that recedes than a row does
        facing = abs(dx) if hit.upright else abs(dy)
        footprint = camera.texture_size / (height * max(facing, 0.25))
        strip = Strip(frame, column, top, bottom, above, height, mixed)
        for line in range(top):
            write(frame, line, column, sky[line], np.uint32(256))
        _paint_wall(wall, camera, strip, hit.along, footprint, light)
        if picture >= 0:
            strip = Strip(frame, column, first, last, picture_above, part * height, mixed)
            texture = looks.texels[2 * num_styles + state.picture[i, picture]]
            along = (hit.along - PICTURE_LOW) / part
            _paint_wall(texture, camera, strip, along, footprint / part, light)
        _paint_floor(floor, camera, frame, column, bottom, x, y, dx, dy)


@kernel
def _picture_at(maps: Maps, layout: int, hit: WallHit) -> int:
    """Return the picture that a column shows, -1 for none."""
    if not PICTURE_LOW < hit.along < PICTURE_HIGH:
        return -1
    if hit.upright:
        return int(maps.vertical_picture[layout, hit.row, hit.col, hit.side])
    return int(maps.horizontal_picture[layout, hit.row, hit.col, hit.side])


@kernel
def _paint_wall(
    texture: npt.NDArray[np.uint32],
    camera: Camera,
    strip: Strip,
    along: float,
    footprint: float,
    light: float,
) -> None:
    """Draw one column of an upright texture, at the scale whose texels cover its footprint."""
    level = 0
    while footprint > 1.4:
        footprint *= 0.5
        level += 1
    level = min(level, len(camera.offsets) - 2)
    start, size = camera.offsets[level], camera.texture_size >> level
    paint_upright(texture, start, size, strip, along, np.uint32(light * 256))


@kernel
def _paint_floor(
    texture: npt.NDArray[np.uint32],
    camera: Camera,
    frame: npt.NDArray[np.uint8],
    column: int,
    bottom: int,
    x: float,
    y: float,
    dx: float,
    dy: float,
) -> None:
    """Draw the floor of one column below a wall."""
    for line in range(bottom, len(frame)):
        distance, level = camera.row_distance[line], camera.row_level[line]
        start, size = camera.offsets[level], camera.texture_size >> level
        texel = sample(texture, start, size, x + distance * dx, y + distance * dy)
        write(frame, line, column, texel, camera.row_light[line])
