"""What a ray sees: objects, the floor and the sky, lit by a sun that casts shadows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ocrl_envs.scenes.kernel import Vector, add, dot, kernel, mix, multiply, scale, vector
from ocrl_envs.scenes.rays import into, is_blocked, nearest
from ocrl_envs.scenes.records import Stage
from ocrl_envs.scenes.textures import texture_colour

SKY, FLOOR = -2, -1
SKIN = 1e-4  # how far off a surface its shadow ray starts


class Sight(NamedTuple):
    """What a ray sees: linear RGB, the object (or FLOOR, SKY), and its distance."""

    colour: Vector
    object: int
    distance: float


@kernel
def look(stage: Stage, origin: Vector, direction: Vector) -> Sight:
    """Follow a ray of unit direction to what it sees."""
    around = stage.surroundings[0]
    hit = nearest(stage, origin, direction)
    to_floor = -origin[2] / direction[2] if direction[2] < -1e-9 else math.inf
    if to_floor < hit.distance:
        point = add(origin, direction, to_floor)
        up = (0.0, 0.0, 1.0)
        colour = texture_colour(around.floor, point)
        colour = multiply(colour, _light(stage, FLOOR, point, up))
        clear = math.exp(-to_floor / around.haze)
        return Sight(mix(vector(around.horizon), colour, clear), FLOOR, to_floor)
    if hit.object < 0:
        return Sight(_sky(around, direction), SKY, hit.distance)
    owner, normal = hit.object, hit.normal
    point = add(origin, direction, hit.distance)
    # The pattern moves with the object.
    thing = stage.objects[owner]
    local = into(thing.rotation, add(point, vector(thing.centre), -1.0))
    colour = texture_colour(stage.parts[hit.part].texture, local)
    light = _light(stage, owner, point, normal)
    diffuse = multiply(scale(colour, 1.0 - 0.5 * thing.gloss), light)
    shine = _shine(around, direction, normal, colour, thing.gloss, light)
    return Sight(add(diffuse, shine, 1.0), owner, hit.distance)


@kernel
def _light(stage: Stage, owner: int, point: Vector, normal: Vector) -> Vector:
    """Return the light that reaches a point of a surface."""
    around = stage.surroundings[0]
    up = 0.5 + 0.5 * normal[2]
    bounce = scale(vector(around.floor_colour), 0.45)
    light = mix(bounce, vector(around.zenith), up)
    light = scale(light, _openness(stage, owner, point, normal))
    facing = dot(normal, vector(around.fill))
    if facing > 0.0:
        light = add(light, vector(around.fill_light), facing)
    sun = vector(around.sun)
    facing = dot(normal, sun)
    if facing > 0.0 and not is_blocked(stage, add(point, normal, SKIN), sun):
        light = add(light, vector(around.sunlight), facing)
    return light


@kernel
def _openness(stage: Stage, owner: int, point: Vector, normal: Vector) -> float:
    """Return how much of the sky other objects, taken as balls, leave free over a point."""
    free = 1.0
    for n in range(len(stage.objects)):
        if n == owner:
            continue
        towards = add(vector(stage.objects[n].centre), point, -1.0)
        squared = dot(towards, towards)
        radius = 0.75 * stage.objects[n].reach
        facing = dot(normal, towards)
        if facing > 0.0 and squared < 16.0 * radius * radius:
            distance = math.sqrt(squared)
            blocked = facing / distance * min(1.0, radius * radius / squared)
            free *= 1.0 - 0.85 * blocked
    # The floor takes away what faces down, near it.
    if owner >= 0 and normal[2] < 0.0:
        free *= 1.0 + 0.6 * normal[2] * math.exp(-2.0 * point[2])
    return free


@kernel
def _shine(
    around: Any,
    direction: Vector,
    normal: Vector,
    colour: Vector,
    gloss: float,
    light: Vector,
) -> Vector:
    """Return what a surface mirrors: the sky, the floor's colour and highlights of the lights."""
    mirrored = add(direction, normal, -2.0 * dot(direction, normal))
    bright = _sharpen(dot(mirrored, vector(around.fill)), gloss)
    highlight = scale(vector(around.fill_light), bright)
    bright = _sharpen(dot(mirrored, vector(around.sun)), gloss)
    # Where the sun does not shine there is little light, and no highlight.
    sunny = min(1.0, light[1] / (0.3 + around.sunlight[1]))
    highlight = add(highlight, vector(around.sunlight), bright * sunny)
    highlight = scale(highlight, 0.15 + 0.85 * gloss)
    if gloss < 0.1:
        return highlight
    below = scale(vector(around.floor_colour), 0.7)
    share = min(1.0, max(0.0, 0.5 + 3.0 * mirrored[2]))
    reflection = multiply(mix(below, _sky(around, mirrored), share), colour)
    return add(highlight, reflection, 0.9 * gloss)


@kernel
def _sharpen(cosine: float, gloss: float) -> float:
    """Return how bright a highlight is: the 16th to the 128th power of the cosine (Phong)."""
    wide = max(0.0, cosine)
    for _ in range(4):
        wide *= wide
    narrow = wide * wide
    narrow *= narrow
    return (1.0 - gloss) * wide + gloss * narrow * narrow


@kernel
def _sky(around: Any, direction: Vector) -> Vector:
    """Return the colour of the sky in a direction."""
    height = math.sqrt(max(0.0, direction[2]))
    colour = mix(vector(around.horizon), vector(around.zenith), height)
    if around.cloudiness == 0.0:
        return colour
    clouds = texture_colour(around.clouds, direction)
    return mix(colour, clouds, around.cloudiness * min(1.0, 4.0 * height))


@kernel
def encode(colour: Vector) -> Vector:
    """Return linear RGB as display values from 0 to 255, highlights rolled off."""
    return _encode_channel(colour[0]), _encode_channel(colour[1]), _encode_channel(colour[2])


@kernel
def _encode_channel(value: float) -> float:
    value = max(0.0, value)
    if value > 0.7:
        value = 0.7 + 0.3 * (1.0 - math.exp(-(value - 0.7) / 0.3))
    return 255.0 * math.sqrt(value)
