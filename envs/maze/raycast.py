"""The renderer: one ray per column finds the wall, rows above and below follow from it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from envs.maze.camera import EYE_HEIGHT, Camera
from envs.maze.kernel import kernel
from envs.maze.looks import Looks
from envs.maze.objects import PackedKinds
from envs.maze.paint_things import paint_things
from envs.maze.texturing import mix, paint_upright, sample, write
from envs.maze.views import FLOOR, PICTURE, SKY, WALL, Views
from envs.maze.world import Maps, State

PICTURE_LOW, PICTURE_HIGH = 0.22, 0.78
# light on wall faces that look south, north, east and west
FACE_LIGHT = np.array([1.0, 0.82, 0.94, 0.88], np.float32)


@kernel
def cast_ray(
    horizontal: npt.NDArray[np.int16],
    vertical: npt.NDArray[np.int16],
    x: float,
    y: float,
    dx: float,
    dy: float,
) -> tuple[float, float, int, int, int, int]:
    """Follow a ray from cell to cell to the first wall (Amanatides and Woo, 1987).

    Args:
        horizontal: int16 (rows + 1, cols), wall runs, -1: open.
        vertical: int16 (rows, cols + 1), wall runs, -1: open.
        x: where the ray starts.
        y: where the ray starts.
        dx: its direction.
        dy: its direction.

    Returns:
        Multiple of the direction at which the ray hits; where along the wall, from its left end,
        in [0, 1); row and column of the wall; 0 for a horizontal, 1 for a vertical wall; and
        the side that is hit: 0 its north or west, 1 its south or east side.
    """
    row, col = int(y), int(x)
    step_x, step_y = (1 if dx > 0.0 else -1), (1 if dy > 0.0 else -1)
    ahead_x, ahead_y = (1 if dx > 0.0 else 0), (1 if dy > 0.0 else 0)
    per_x = abs(1.0 / dx) if dx != 0.0 else math.inf
    per_y = abs(1.0 / dy) if dy != 0.0 else math.inf
    next_x = (col + 1 - x if dx > 0.0 else x - col) * per_x if dx != 0.0 else math.inf
    next_y = (row + 1 - y if dy > 0.0 else y - row) * per_y if dy != 0.0 else math.inf
    while True:
        if next_x < next_y:
            if vertical[row, col + ahead_x] >= 0:
                along = y + next_x * dy - row
                along = along if dx > 0.0 else 1.0 - along
                return next_x, along, row, col + ahead_x, 1, 1 - ahead_x
            col += step_x
            next_x += per_x
        else:
            if horizontal[row + ahead_y, col] >= 0:
                along = x + next_y * dx - col
                along = 1.0 - along if dy > 0.0 else along
                return next_y, along, row + ahead_y, col, 0, 1 - ahead_y
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
        looks: of all layouts.
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
    wall, floor = looks.texels[looks.wall[layout]], looks.texels[looks.floor[layout]]
    sky = np.empty(len(camera.row_haze), np.uint32)
    for line in range(len(sky)):
        sky[line] = mix(looks.zenith[layout], looks.horizon[layout], camera.row_haze[line])
    mixed = np.empty(camera.texture_size, np.uint32)
    frame = views.frames[i]
    size = len(camera.slope)
    with_truth = len(views.segments) > 0
    for column in range(size):
        slope = camera.slope[column]
        dx, dy = cos - sin * slope, sin + cos * slope
        distance, along, row, col, upright, side = cast_ray(horizontal, vertical, x, y, dx, dy)
        wall_depth[column] = distance
        above = size / 2 - (1.0 - EYE_HEIGHT) * camera.focal / distance
        height = camera.focal / distance
        top = max(math.ceil(above - 0.5), 0)
        bottom = min(math.ceil(above + height - 0.5), size)
        for line in range(top):
            write(frame, line, column, sky[line], np.uint32(256))

        # a column covers more of a wall that recedes than a row does
        facing = abs(dx) if upright else abs(dy)
        footprint = camera.texture_size / (height * max(facing, 0.25))
        light = (0.6 + 0.4 / (1.0 + 0.02 * distance * distance)) * FACE_LIGHT[2 * upright + side]
        _paint_wall(
            wall, camera, frame, column, top, bottom, above, height, along, footprint, light, mixed
        )
        run = vertical[row, col] if upright else horizontal[row, col]
        number = -1
        if PICTURE_LOW < along < PICTURE_HIGH:
            if upright:
                number = maps.vertical_picture[layout, row, col, side]
            else:
                number = maps.horizontal_picture[layout, row, col, side]
        first = last = bottom
        if number >= 0:
            part = PICTURE_HIGH - PICTURE_LOW
            picture_top = above + PICTURE_LOW * height
            first = max(math.ceil(picture_top - 0.5), 0)
            last = min(math.ceil(picture_top + part * height - 0.5), size)
            _paint_wall(
                looks.texels[looks.picture[layout, number]],
                camera,
                frame,
                column,
                first,
                last,
                picture_top,
                part * height,
                (along - PICTURE_LOW) / part,
                footprint / part,
                light,
                mixed,
            )
        _paint_floor(floor, camera, frame, column, bottom, x, y, dx, dy)
        if with_truth:
            segments, depth = views.segments[i], views.depth[i]
            for line in range(top):
                segments[line, column], depth[line, column] = SKY, math.inf
            for line in range(top, bottom):
                segments[line, column], depth[line, column] = WALL + run, distance
            for line in range(first, last):
                segments[line, column] = PICTURE + number
            for line in range(bottom, size):
                segments[line, column] = FLOOR
                depth[line, column] = camera.row_distance[line]


@kernel
def _paint_wall(
    texture: npt.NDArray[np.uint32],
    camera: Camera,
    frame: npt.NDArray[np.uint8],
    column: int,
    top: int,
    bottom: int,
    above: float,
    height: float,
    along: float,
    footprint: float,
    light: float,
    mixed: npt.NDArray[np.uint32],
) -> None:
    """Draw one column of an upright texture, at the scale whose texels cover its footprint."""
    level = 0
    while footprint > 1.4:
        footprint *= 0.5
        level += 1
    level = min(level, len(camera.offsets) - 2)
    paint_upright(
        texture,
        camera.offsets[level],
        camera.texture_size >> level,
        frame,
        column,
        top,
        bottom,
        above,
        height,
        along,
        np.uint32(light * 256),
        mixed,
    )


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
    for line in range(bottom, frame.shape[0]):
        distance = camera.row_distance[line]
        level = camera.row_level[line]
        texel = sample(
            texture,
            camera.offsets[level],
            camera.texture_size >> level,
            x + distance * dx,
            y + distance * dy,
        )
        write(frame, line, column, texel, camera.row_light[line])
