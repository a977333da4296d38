"""Things in the maze: goal, apples, lemons and a family of shape x colour x size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ELLIPSOID, CYLINDER, CONE, BOX, DIAMOND = range(5)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One solid of a thing; lengths in cells, the floor below the thing's centre is the origin.

    Attributes:
        shape: ELLIPSOID, CYLINDER, CONE, BOX or DIAMOND (two cones, base to base).
        centre: east, south, up.
        half: half of the extent along the same axes.
        colour: red, green, blue in [0, 1].
    """

    shape: int
    centre: Triple
    half: Triple
    colour: Triple


@dataclass(frozen=True)
class Kind:
    """A kind of thing: a name and the solids it is made of, the main one first."""

    name: str
    parts: tuple[Part, ...]


GOAL = Kind(
    "goal",
    (
        Part(DIAMOND, (0, 0, 0.36), (0.19, 0.19, 0.26), (1.0, 0.15, 0.75)),
        Part(CYLINDER, (0, 0, 0.03), (0.17, 0.17, 0.03), (0.35, 0.35, 0.4)),
    ),
)
APPLE = Kind(
    "apple",
    (
        Part(ELLIPSOID, (0, 0, 0.2), (0.14, 0.14, 0.13), (0.85, 0.1, 0.08)),
        Part(CYLINDER, (0, 0, 0.34), (0.015, 0.015, 0.045), (0.35, 0.22, 0.1)),
        Part(ELLIPSOID, (0.045, 0, 0.37), (0.06, 0.035, 0.025), (0.2, 0.65, 0.15)),
    ),
)
LEMON = Kind(
    "lemon",
    (
        Part(ELLIPSOID, (0, 0, 0.2), (0.115, 0.115, 0.14), (0.98, 0.87, 0.15)),
        Part(ELLIPSOID, (0, 0, 0.2), (0.05, 0.05, 0.185), (0.95, 0.8, 0.12)),
    ),
)


def recoloured(kind: Kind, name: str, *colours: Triple) -> Kind:
    """Return a kind of the same form with other colours, one per part."""
    parts = zip(kind.parts, colours, strict=True)
    return Kind(name, tuple(replace(part, colour=colour) for part, colour in parts))


HELD_OUT_GOAL = recoloured(GOAL, "held-out goal", (0.1, 0.75, 0.95), (0.8, 0.8, 0.75))
HELD_OUT_APPLE = recoloured(
    APPLE, "held-out apple", (0.55, 0.8, 0.15), (0.35, 0.22, 0.1), (0.2, 0.65, 0.15)
)
HELD_OUT_LEMON = recoloured(LEMON, "held-out lemon", (0.98, 0.55, 0.1), (0.95, 0.5, 0.1))

SHAPES = {
    "ball": (ELLIPSOID, 1.0),
    "cube": (BOX, 0.85),
    "cylinder": (CYLINDER, 1.0),
    "cone": (CONE, 1.25),
    "diamond": (DIAMOND, 1.3),
    "post": (BOX, 2.0),
}
COLOURS: dict[str, Triple] = {
    "red": (0.85, 0.12, 0.1),
    "green": (0.15, 0.7, 0.2),
    "blue": (0.15, 0.3, 0.9),
    "yellow": (0.95, 0.85, 0.1),
    "purple": (0.6, 0.2, 0.8),
    "cyan": (0.1, 0.8, 0.85),
    "white": (0.93, 0.93, 0.93),
    "black": (0.13, 0.13, 0.13),
}
SIZES = {"small": 0.1, "medium": 0.14, "large": 0.18}
GOOD_SHAPES = ("ball", "cube", "diamond")


def solid(size: str, colour: str, shape: str) -> Kind:
    """Return a member of the family, e.g. ``solid("large", "red", "cube")``."""
    code, tallness = SHAPES[shape]
    half = SIZES[size]
    wide = half * (0.55 if shape == "post" else 1.0)
    high = half * tallness
    part = Part(code, (0, 0, high + 0.04), (wide, wide, high), COLOURS[colour])
    return Kind(f"{size} {colour} {shape}", (part,))


def is_held_out(colour: str, shape: str) -> bool:
    """Return whether a combination is kept for testing.

    Each shape and each colour occurs in training, a quarter of their combinations does not.
    """
    return (list(COLOURS).index(colour) + list(SHAPES).index(shape)) % 4 == 0


SOLIDS: tuple[Kind, ...] = tuple(solid(*which) for which in product(SIZES, COLOURS, SHAPES))
KINDS: tuple[Kind, ...] = (
    GOAL,
    APPLE,
    LEMON,
    HELD_OUT_GOAL,
    HELD_OUT_APPLE,
    HELD_OUT_LEMON,
    *SOLIDS,
)
KIND_NUMBERS = {kind.name: number for number, kind in enumerate(KINDS)}


def solid_numbers(good: bool, held_out: bool) -> list[int]:
    """Return the kinds of solids that are good, or bad, for training or held out."""
    return [
        KIND_NUMBERS[f"{size} {colour} {shape}"]
        for size, colour, shape in product(SIZES, COLOURS, SHAPES)
        if (shape in GOOD_SHAPES) == good and is_held_out(colour, shape) == held_out
    ]


class PackedKinds(NamedTuple):
    """Kinds as arrays, K kinds of P parts in all.

    Attributes:
        first: int64 (K + 1,), number of each kind's first part.
        radius: float32 (K,), of the upright cylinder around a kind.
        top: float32 (K,), height of a kind.
        shape: int64 (P,).
        centre: float32 (P, 3).
        half: float32 (P, 3).
        colour: float32 (P, 3), in [0, 255].
    """

    first: npt.NDArray[np.int64]
    radius: npt.NDArray[np.float32]
    top: npt.NDArray[np.float32]
    shape: npt.NDArray[np.int64]
    centre: npt.NDArray[np.float32]
    half: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]


def pack_kinds(kinds: Sequence[Kind]) -> PackedKinds:
    """Return kinds as arrays for the renderer."""
    parts = [part for kind in kinds for part in kind.parts]
    reach = [
        max(np.hypot(*part.centre[:2]) + np.hypot(*part.half[:2]) for part in kind.parts)
        for kind in kinds
    ]
    top = [max(part.centre[2] + part.half[2] for part in kind.parts) for kind in kinds]
    return PackedKinds(
        first=np.cumsum([0] + [len(kind.parts) for kind in kinds]).astype(np.int64),
        radius=np.array(reach, np.float32),
        top=np.array(top, np.float32),
        shape=np.array([part.shape for part in parts], np.int64),
        centre=np.array([part.centre for part in parts], np.float32),
        half=np.array([part.half for part in parts], np.float32),
        colour=np.array([part.colour for part in parts], np.float32) * 255,
    )
