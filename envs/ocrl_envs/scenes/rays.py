"""Where a ray meets solids: ellipsoids, boxes, cylinders and capsules."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.scenes.kernel import Vector, add, dot, kernel, scale, vector
from ocrl_envs.scenes.records import Records, Stage

ELLIPSOID, BOX, CYLINDER, CAPSULE = range(4)
FAR = 1e9
NO_NORMAL = (0.0, 0.0, 0.0)


class Hit(NamedTuple):
    """What a ray meets first: distance, object and part (-1: nothing), and surface normal."""

    distance: float
    object: int
    part: int
    normal: Vector


@kernel
def into(rotation: npt.NDArray[np.float64], a: Vector) -> Vector:
    """Return a world vector as seen in a rotated frame: the transposed rotation times it."""
    r = rotation
    return (
        r[0, 0] * a[0] + r[1, 0] * a[1] + r[2, 0] * a[2],
        r[0, 1] * a[0] + r[1, 1] * a[1] + r[2, 1] * a[2],
        r[0, 2] * a[0] + r[1, 2] * a[1] + r[2, 2] * a[2],
    )


@kernel
def out_of(rotation: npt.NDArray[np.float64], a: Vector) -> Vector:
    """Return a vector of a rotated frame as seen in the world: the rotation times it."""
    r = rotation
    return (
        r[0, 0] * a[0] + r[0, 1] * a[1] + r[0, 2] * a[2],
        r[1, 0] * a[0] + r[1, 1] * a[1] + r[1, 2] * a[2],
        r[2, 0] * a[0] + r[2, 1] * a[1] + r[2, 2] * a[2],
    )


@kernel
def nearest(stage: Stage, origin: Vector, direction: Vector) -> Hit:
    """Return the first hit of a ray of unit direction."""
    distance, owner, part, normal = FAR, -1, -1, NO_NORMAL
    for n in range(len(stage.objects)):
        if misses(
            vector(stage.objects[n].centre), stage.objects[n].reach, origin, direction, distance
        ):
            continue
        for p in range(stage.objects[n].first, stage.objects[n].end):
            found, local = hit_part(stage.parts, p, origin, direction)
            if found < distance:
                distance, owner, part, normal = found, n, p, local
    if part >= 0:
        normal = out_of(stage.parts[part].rotation, normal)
    return Hit(distance, owner, part, normal)


@kernel
def is_blocked(stage: Stage, origin: Vector, direction: Vector) -> bool:
    """Say whether anything lies on a ray of unit direction."""
    for n in range(len(stage.objects)):
        thing = stage.objects[n]
        if misses(vector(thing.centre), thing.reach, origin, direction, FAR):
            continue
        for p in range(thing.first, thing.end):
            if hit_part(stage.parts, p, origin, direction)[0] < FAR:
                return True
    return False


@kernel
def misses(centre: Vector, radius: float, origin: Vector, direction: Vector, limit: float) -> bool:
    """Say whether a ray stays out of a sphere, or reaches it beyond ``limit``."""
    to_centre = add(centre, origin, -1.0)
    along = dot(to_centre, direction)
    apart = dot(to_centre, to_centre) - along * along
    return apart > radius * radius or along < -radius or along - radius > limit


@kernel
def hit_part(parts: Records, index: int, origin: Vector, direction: Vector) -> tuple[float, Vector]:
    """Return the distance at which a ray enters a part, FAR if never, and the part's normal."""
    part = parts[index]
    start = into(part.rotation, add(origin, vector(part.centre), -1.0))
    heading = into(part.rotation, direction)
    kind, size = part.kind, vector(part.size)
    if kind == ELLIPSOID:
        return hit_ellipsoid(start, heading, size[0], size[1], size[2])
    if kind == BOX:
        return hit_box(start, heading, size[0], size[1], size[2])
    if kind == CYLINDER:
        return hit_cylinder(start, heading, size[0], size[1])
    return hit_capsule(start, heading, size[0], size[1])


@kernel
def enter_ball(start: Vector, heading: Vector) -> float:
    """Return where a ray of any length of direction enters the unit ball, FAR if nowhere."""
    squared = dot(heading, heading)
    along = dot(start, heading)
    root = along * along - squared * (dot(start, start) - 1.0)
    if root < 0.0:
        return FAR
    distance = (-along - math.sqrt(root)) / squared
    return distance if distance > 0.0 else FAR


@kernel
def hit_ellipsoid(
    start: Vector, heading: Vector, a: float, b: float, c: float
) -> tuple[float, Vector]:
    """Ray against an ellipsoid: the unit ball in scaled coordinates."""
    start = (start[0] / a, start[1] / b, start[2] / c)
    heading = (heading[0] / a, heading[1] / b, heading[2] / c)
    distance = enter_ball(start, heading)
    point = add(start, heading, distance)
    normal = (point[0] / a, point[1] / b, point[2] / c)
    return distance, scale(normal, 1.0 / math.sqrt(dot(normal, normal)))


@kernel
def hit_box(start: Vector, heading: Vector, a: float, b: float, c: float) -> tuple[float, Vector]:
    """Ray against a box: it enters the last of three slabs before it leaves the first."""
    inverse = (1.0 / heading[0], 1.0 / heading[1], 1.0 / heading[2])
    half = (abs(a * inverse[0]), abs(b * inverse[1]), abs(c * inverse[2]))
    middle = (-start[0] * inverse[0], -start[1] * inverse[1], -start[2] * inverse[2])
    enter_x, enter_y, enter_z = middle[0] - half[0], middle[1] - half[1], middle[2] - half[2]
    enter = max(enter_x, enter_y, enter_z)
    leave = min(middle[0] + half[0], middle[1] + half[1], middle[2] + half[2])
    if not 0.0 < enter < leave:
        return FAR, NO_NORMAL
    if enter == enter_x:
        return enter, (-math.copysign(1.0, heading[0]), 0.0, 0.0)
    if enter == enter_y:
        return enter, (0.0, -math.copysign(1.0, heading[1]), 0.0)
    return enter, (0.0, 0.0, -math.copysign(1.0, heading[2]))


@kernel
def enter_tube(start: Vector, heading: Vector, radius: float) -> float:
    """Return where a ray enters an endless tube along z, also behind it; FAR if nowhere."""
    squared = heading[0] * heading[0] + heading[1] * heading[1]
    along = start[0] * heading[0] + start[1] * heading[1]
    apart = start[0] * start[0] + start[1] * start[1] - radius * radius
    root = along * along - squared * apart
    return (-along - math.sqrt(root)) / squared if root >= 0.0 else FAR


@kernel
def hit_cylinder(
    start: Vector, heading: Vector, radius: float, half: float
) -> tuple[float, Vector]:
    """Ray against a cylinder along z: through its side or the end that faces the ray."""
    distance = enter_tube(start, heading, radius)
    if distance == FAR:
        return FAR, NO_NORMAL
    point = add(start, heading, distance)
    if distance > 0.0 and abs(point[2]) <= half:
        return distance, (point[0] / radius, point[1] / radius, 0.0)
    end = math.copysign(half, -heading[2])
    distance = (end - start[2]) / heading[2]
    point = add(start, heading, distance)
    if distance > 0.0 and point[0] * point[0] + point[1] * point[1] <= radius * radius:
        return distance, (0.0, 0.0, math.copysign(1.0, end))
    return FAR, NO_NORMAL


@kernel
def hit_capsule(start: Vector, heading: Vector, radius: float, half: float) -> tuple[float, Vector]:
    """Ray against a capsule along z: through its side or one of the balls at its ends."""
    distance = enter_tube(start, heading, radius)
    if distance == FAR:
        return FAR, NO_NORMAL
    point = add(start, heading, distance)
    if distance > 0.0 and abs(point[2]) <= half:
        return distance, (point[0] / radius, point[1] / radius, 0.0)
    end = math.copysign(half, point[2])
    local = scale((start[0], start[1], start[2] - end), 1.0 / radius)
    heading = scale(heading, 1.0 / radius)
    distance = enter_ball(local, heading)
    return distance, add(local, heading, distance)
