"""Shapes of objects: three simple solids, and things made of several parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ocrl_envs.scenes.rays import BOX, CAPSULE, CYLINDER, ELLIPSOID
from ocrl_envs.scenes.records import OBJECT, PART, Records

Triple = tuple[float, float, float]
Shape = tuple["Part", ...]
Generator = np.random.Generator


@dataclass(frozen=True)
class Part:
    """One solid of a shape.

    Attributes:
        kind: ELLIPSOID, BOX, CYLINDER or CAPSULE.
        size: half axes, half sides, or (radius, half length, 0).
        offset: its centre in the shape's frame.
        turn: Euler angles about x, y and z, in degrees.
        tone: which of the object's textures it wears, 0 or 1.
    """

    kind: int
    size: Triple
    offset: Triple = (0.0, 0.0, 0.0)
    turn: Triple = (0.0, 0.0, 0.0)
    tone: int = 0

    @property
    def reach(self) -> float:
        """Distance of its farthest point from its own centre."""
        a, b, _ = self.size
        if self.kind == ELLIPSOID:
            return max(self.size)
        if self.kind == BOX:
            return float(np.linalg.norm(self.size))
        return a + b if self.kind == CAPSULE else float(np.hypot(a, b))

    @property
    def rotation(self) -> npt.NDArray[np.float64]:
        """Its rotation as a matrix."""
        matrix: npt.NDArray[np.float64] = Rotation.from_euler(
            "xyz", self.turn, degrees=True
        ).as_matrix()
        return matrix


def normalised(shape: Shape, reach: float = 1.0) -> Shape:
    """Centre a shape and scale it so that it just fits into a ball of radius ``reach``."""
    offsets = np.array([part.offset for part in shape])
    reaches = np.array([[part.reach] for part in shape])
    middle = ((offsets - reaches).min(0) + (offsets + reaches).max(0)) / 2
    farthest = float((np.linalg.norm(offsets - middle, axis=1) + reaches[:, 0]).max())
    factor = reach / farthest
    return tuple(
        replace(
            part,
            size=_triple(factor * np.array(part.size)),
            offset=_triple(factor * (offset - middle)),
        )
        for part, offset in zip(shape, offsets, strict=True)
    )


def records_of(shapes: list[Shape]) -> tuple[Records, Records]:
    """Return shapes as the ray caster reads them, OBJECT (N,) and PART (P,), without looks."""
    objects = np.zeros(len(shapes), OBJECT)
    ends = np.cumsum([len(shape) for shape in shapes])
    objects["first"], objects["end"] = ends - [len(shape) for shape in shapes], ends
    objects["reach"] = [max(np.linalg.norm(p.offset) + p.reach for p in s) for s in shapes]
    parts = np.zeros(ends[-1], PART)
    for record, part in zip(parts, (part for shape in shapes for part in shape), strict=True):
        record["kind"], record["size"] = part.kind, part.size
        record["offset"], record["turn"] = part.offset, part.rotation
    return objects, parts


def cube(rng: Generator) -> Shape:
    """Return a cube."""
    return (Part(BOX, (1.0, 1.0, 1.0)),)


def ball(rng: Generator) -> Shape:
    """Return a ball."""
    return (Part(ELLIPSOID, (1.0, 1.0, 1.0)),)


def cylinder(rng: Generator) -> Shape:
    """Return a cylinder as high as it is wide."""
    return (Part(CYLINDER, (1.0, 1.0, 0.0)),)


def package(rng: Generator) -> Shape:
    """Return a box of random sides."""
    return (Part(BOX, _triple(rng.uniform(0.3, 1.0, 3))),)


def tin(rng: Generator) -> Shape:
    """Return a flat or a tall cylinder with a lid."""
    radius, half = rng.uniform(0.4, 0.9), rng.uniform(0.3, 1.0)
    lid = Part(CYLINDER, (0.8 * radius, 0.1, 0.0), (0.0, 0.0, half + 0.1), tone=1)
    return Part(CYLINDER, (radius, half, 0.0)), lid


def egg(rng: Generator) -> Shape:
    """Return an ellipsoid of random axes."""
    return (Part(ELLIPSOID, _triple(rng.uniform(0.45, 1.0, 3))),)


def bottle(rng: Generator) -> Shape:
    """Return a body, a shoulder, a neck and a cap."""
    radius, half, neck = rng.uniform(0.35, 0.5), rng.uniform(0.5, 0.8), rng.uniform(0.2, 0.35)
    return (
        Part(CYLINDER, (radius, half, 0.0)),
        Part(ELLIPSOID, (radius, radius, 0.3), (0.0, 0.0, half)),
        Part(CYLINDER, (0.4 * radius, neck, 0.0), (0.0, 0.0, half + neck)),
        Part(CYLINDER, (0.5 * radius, 0.1, 0.0), (0.0, 0.0, half + 2 * neck), tone=1),
    )


def mug(rng: Generator) -> Shape:
    """Return a cup with a handle."""
    radius, half = rng.uniform(0.5, 0.7), rng.uniform(0.5, 0.8)
    out, bar = radius + 0.3, 0.1
    return (
        Part(CYLINDER, (radius, half, 0.0)),
        Part(CAPSULE, (bar, 0.15, 0.0), (radius + 0.15, 0.0, 0.5 * half), (0.0, 90.0, 0.0), 1),
        Part(CAPSULE, (bar, 0.15, 0.0), (radius + 0.15, 0.0, -0.5 * half), (0.0, 90.0, 0.0), 1),
        Part(CAPSULE, (bar, 0.5 * half, 0.0), (out, 0.0, 0.0), tone=1),
    )


def table(rng: Generator) -> Shape:
    """Return a board on four legs."""
    return _on_legs(rng, rng.uniform(0.5, 0.9))


def chair(rng: Generator) -> Shape:
    """Return a table with a back."""
    legs = _on_legs(rng, rng.uniform(0.4, 0.6))
    board = legs[0]
    height = rng.uniform(0.35, 0.6)
    back = Part(BOX, (0.1, board.size[1], height), (-board.size[0], 0.0, board.offset[2] + height))
    return (*legs, replace(back, tone=1))


def hammer(rng: Generator) -> Shape:
    """Return a head across a handle."""
    half = rng.uniform(0.7, 1.0)
    head = Part(BOX, (0.5, 0.2, 0.22), (0.0, 0.0, half), tone=1)
    return Part(CYLINDER, (0.12, half, 0.0)), head


def dumbbell(rng: Generator) -> Shape:
    """Return two weights on a bar."""
    half, radius = rng.uniform(0.5, 0.7), rng.uniform(0.35, 0.5)
    kind = BOX if rng.random() < 0.4 else ELLIPSOID
    weights = [
        Part(kind, (radius, radius, radius), (0.0, 0.0, side * (half + 0.6 * radius)), tone=1)
        for side in (-1, 1)
    ]
    return Part(CYLINDER, (0.14, half, 0.0)), *weights


def mushroom(rng: Generator) -> Shape:
    """Return a cap on a stalk."""
    half, radius = rng.uniform(0.4, 0.7), rng.uniform(0.6, 0.9)
    cap = Part(ELLIPSOID, (radius, radius, 0.5 * radius), (0.0, 0.0, half), tone=1)
    return Part(CYLINDER, (0.35 * radius, half, 0.0)), cap


def snowman(rng: Generator) -> Shape:
    """Return three balls on top of each other."""
    sizes = np.array([0.55, 0.42, 0.3]) * rng.uniform(0.9, 1.1, 3)
    heights = np.cumsum([0.0, 0.8 * (sizes[0] + sizes[1]), 0.8 * (sizes[1] + sizes[2])])
    return tuple(
        Part(ELLIPSOID, (s, s, s), (0.0, 0.0, h), tone=int(i == 2))
        for i, (s, h) in enumerate(zip(sizes.tolist(), heights.tolist(), strict=True))
    )


def car(rng: Generator) -> Shape:
    """Return a body, a cabin and four wheels."""
    long, wide, high = rng.uniform(0.8, 1.0), rng.uniform(0.4, 0.5), rng.uniform(0.18, 0.28)
    wheel = rng.uniform(0.2, 0.28)
    wheels = [
        Part(CYLINDER, (wheel, 0.1, 0.0), (0.6 * x * long, y * wide, -high), (90.0, 0.0, 0.0), 1)
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    cabin = Part(BOX, (0.5 * long, 0.85 * wide, 0.2), (-0.1, 0.0, high + 0.2), tone=1)
    return Part(BOX, (long, wide, high)), cabin, *wheels


def aeroplane(rng: Generator) -> Shape:
    """Return a hull, wings and a tail."""
    span = rng.uniform(0.7, 1.0)
    return (
        Part(ELLIPSOID, (1.0, 0.25, 0.25)),
        Part(BOX, (0.22, span, 0.08), (0.1, 0.0, 0.0), tone=1),
        Part(BOX, (0.12, 0.35, 0.08), (-0.85, 0.0, 0.1), tone=1),
        Part(BOX, (0.14, 0.08, 0.25), (-0.85, 0.0, 0.3), tone=1),
    )


def jack(rng: Generator) -> Shape:
    """Return three bars that cross at right angles."""
    radius = rng.uniform(0.16, 0.28)
    turns = [(0.0, 0.0, 0.0), (90.0, 0.0, 0.0), (0.0, 90.0, 0.0)]
    return tuple(
        Part(CAPSULE, (radius, 0.8, 0.0), turn=turn, tone=int(i == 0))
        for i, turn in enumerate(turns)
    )


SIMPLE: tuple[Callable[[Generator], Shape], ...] = (cube, ball, cylinder)
THINGS: tuple[Callable[[Generator], Shape], ...] = (
    package,
    package,
    tin,
    egg,
    bottle,
    mug,
    table,
    chair,
    hammer,
    dumbbell,
    mushroom,
    snowman,
    car,
    aeroplane,
    jack,
)


def _on_legs(rng: Generator, leg: float) -> Shape:
    long, wide, thick = rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.6), 0.1
    board = Part(BOX, (long, wide, thick), (0.0, 0.0, leg + thick))
    legs = [
        Part(BOX, (0.1, 0.1, leg), (x * (long - 0.1), y * (wide - 0.1), 0.0), tone=1)
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    return board, *legs


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    x, y, z = values.tolist()
    return x, y, z
