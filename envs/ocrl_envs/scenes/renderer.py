"""Pictures with ground truth: colour, segments, depth and optical flow of one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.scenes.kernel import Vector, add, dot, kernel, scale, unit, vector
from ocrl_envs.scenes.rays import into, out_of
from ocrl_envs.scenes.records import Records, Stage
from ocrl_envs.scenes.shading import SKY, Sight, encode, look

SAMPLES = 5
CONTRAST = 24.0  # display values between neighbours from which on a pixel is refined


@dataclass(frozen=True)
class Picture:
    """One frame and its ground truth.

    Attributes:
        frame: uint8 (H, W, 3).
        segments: uint8 (H, W), 0 for floor and sky, 1 to N for the objects.
        depth: float32 (H, W), distance from the camera along the pixel's ray, inf for the sky.
        flow: float32 (H, W, 2), how many pixels right and down the point goes until the next frame.
    """

    frame: npt.NDArray[np.uint8]
    segments: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    flow: npt.NDArray[np.float32]


def render(
    stage: Stage, view: Records, next_stage: Stage, next_view: Records, size: tuple[int, int]
) -> Picture:
    """Draw one frame. Pixels that differ from a neighbour are averaged over further rays.

    Args:
        stage: what there is to see.
        view: VIEW (1,), where the camera is.
        next_stage: the same in the next frame, for the flow.
        next_view: the same in the next frame, for the flow.
        size: (height, width).
    """
    frame, segments = np.empty((*size, 3), np.uint8), np.empty(size, np.uint8)
    depth, flow = np.empty(size, np.float32), np.empty((*size, 2), np.float32)
    _draw(stage, view[0], next_stage.objects, next_view[0], frame, segments, depth, flow)
    return Picture(frame, segments, depth, flow)


@kernel
def _draw(
    stage: Stage,
    view: Any,
    next_objects: Records,
    next_view: Any,
    frame: npt.NDArray[np.uint8],
    segments: npt.NDArray[np.uint8],
    depth: npt.NDArray[np.float32],
    flow: npt.NDArray[np.float32],
) -> None:
    height, width = segments.shape
    origin = vector(view.position)
    first = np.empty((height, width, 3))
    for row in range(height):
        for column in range(width):
            direction = _pixel_ray(view, row + 0.5, column + 0.5, height, width)
            sight = look(stage, origin, direction)
            red, green, blue = encode(sight.colour)
            first[row, column, 0] = red
            first[row, column, 1] = green
            first[row, column, 2] = blue
            segments[row, column] = max(0, sight.object + 1)
            depth[row, column] = sight.distance if sight.object != SKY else np.inf
            ray = _next_ray(stage.objects, next_objects, next_view, origin, direction, sight)
            x, y = _pixel_of(next_view, ray, height, width)
            flow[row, column, 0] = x - column - 0.5
            flow[row, column, 1] = y - row - 0.5
    for row in range(height):
        for column in range(width):
            if _is_smooth(first, segments, row, column):
                for channel in range(3):
                    frame[row, column, channel] = round(first[row, column, channel])
            else:
                _refine(stage, view, first, frame, row, column)


@kernel
def _pixel_ray(view: Any, y: float, x: float, height: int, width: int) -> Vector:
    """Return the unit direction of the ray through a place in the picture, in pixels."""
    step = 2.0 * view.slope / height
    ray = add(scale(vector(view.backward), -1.0), vector(view.right), (x - 0.5 * width) * step)
    return unit(add(ray, vector(view.up), (0.5 * height - y) * step))


@kernel
def _is_smooth(
    first: npt.NDArray[np.float64], segments: npt.NDArray[np.uint8], row: int, column: int
) -> bool:
    """Say whether a pixel looks like its four neighbours."""
    height, width = segments.shape
    for step in range(4):
        y = row + (step == 0) - (step == 1)
        x = column + (step == 2) - (step == 3)
        if 0 <= y < height and 0 <= x < width:
            if segments[y, x] != segments[row, column]:
                return False
            for channel in range(3):
                if abs(first[y, x, channel] - first[row, column, channel]) > CONTRAST:
                    return False
    return True


@kernel
def _refine(
    stage: Stage,
    view: Any,
    first: npt.NDArray[np.float64],
    frame: npt.NDArray[np.uint8],
    row: int,
    column: int,
) -> None:
    """Average a pixel over rays spread evenly in it (the R2 sequence of Roberts, 2018)."""
    height, width = frame.shape[:2]
    origin = vector(view.position)
    # The sequence starts in the middle of the pixel, where the first ray went.
    total = vector(first[row, column])
    for sample in range(1, SAMPLES):
        y = row + (0.5 + 0.7548776662466927 * sample) % 1.0
        x = column + (0.5 + 0.5698402909980532 * sample) % 1.0
        sight = look(stage, origin, _pixel_ray(view, y, x, height, width))
        total = add(total, encode(sight.colour), 1.0)
    frame[row, column, 0] = round(total[0] / SAMPLES)
    frame[row, column, 1] = round(total[1] / SAMPLES)
    frame[row, column, 2] = round(total[2] / SAMPLES)


@kernel
def _next_ray(
    objects: Records,
    next_objects: Records,
    next_view: Any,
    origin: Vector,
    direction: Vector,
    sight: Sight,
) -> Vector:
    """Return the ray from the next camera to where the point seen now has gone by then."""
    if sight.object == SKY:
        return direction
    point = add(origin, direction, sight.distance)
    if sight.object >= 0:
        here, there = objects[sight.object], next_objects[sight.object]
        local = into(here.rotation, add(point, vector(here.centre), -1.0))
        point = add(out_of(there.rotation, local), vector(there.centre), 1.0)
    return add(point, vector(next_view.position), -1.0)


@kernel
def _pixel_of(view: Any, ray: Vector, height: int, width: int) -> tuple[float, float]:
    """Return where in the picture a ray goes through, x and y in pixels, NaN behind the camera."""
    depth = -dot(vector(view.backward), ray)
    if depth <= 0.0:
        return math.nan, math.nan
    pixels = 0.5 * height / (view.slope * depth)
    return (
        0.5 * width + dot(vector(view.right), ray) * pixels,
        0.5 * height - dot(vector(view.up), ray) * pixels,
    )
