"""What the ray caster reads: one record per texture, part, object, view and surroundings.

Records keep the compiled code fast: a call passes a pointer, not hundreds of fields.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]

# How a solid texture colours space.
TEXTURE = np.dtype(
    [
        ("kind", np.int64),  # PLAIN to PATCHES of `textures`
        ("colours", np.float64, (3, 3)),  # linear RGB of three colours; PLAIN has the first alone
        ("frequency", np.float64),  # repetitions per unit of length
        ("shift", np.float64, 3),  # where in the pattern the surface is cut
    ]
)

# One solid of an object.
PART = np.dtype(
    [
        ("kind", np.int64),  # ELLIPSOID, BOX, CYLINDER or CAPSULE of `rays`
        ("size", np.float64, 3),  # half axes, half sides, or radius and half length, as in MuJoCo
        ("offset", np.float64, 3),  # its centre in the object's frame
        ("turn", np.float64, (3, 3)),  # its rotation in the object's frame
        ("centre", np.float64, 3),  # its centre in the world
        ("rotation", np.float64, (3, 3)),  # its rotation in the world
        ("texture", TEXTURE),
    ]
)

# An object: a run of parts that move together.
OBJECT = np.dtype(
    [
        ("first", np.int64),  # its parts
        ("end", np.int64),
        ("reach", np.float64),  # radius of a ball around its centre that holds all of it
        ("gloss", np.float64),  # 0 (rubber) to 1 (metal)
        ("centre", np.float64, 3),
        ("rotation", np.float64, (3, 3)),
    ]
)

# Floor, sky and light; colours are linear RGB.
SURROUNDINGS = np.dtype(
    [
        ("floor", TEXTURE),  # of the plane z = 0
        ("floor_colour", np.float64, 3),  # what it throws back
        ("clouds", TEXTURE),  # of the sky, over directions
        ("cloudiness", np.float64),  # share of the clouds, 0 to 1
        ("haze", np.float64),  # distance at which the floor is two thirds lost in the horizon
        ("zenith", np.float64, 3),  # the sky overhead, which also lights what faces up
        ("horizon", np.float64, 3),
        ("sun", np.float64, 3),  # unit vector towards it
        ("sunlight", np.float64, 3),  # its colour and strength
        ("fill", np.float64, 3),  # unit vector towards a second light, without shadows
        ("fill_light", np.float64, 3),
    ]
)

# A camera.
VIEW = np.dtype(
    [
        ("position", np.float64, 3),
        ("right", np.float64, 3),  # unit vectors; backward points away from what it looks at
        ("up", np.float64, 3),
        ("backward", np.float64, 3),
        ("slope", np.float64),  # half the picture's height over the focal length
    ]
)


class Stage(NamedTuple):
    """All that a ray may meet in one frame.

    Attributes:
        objects: OBJECT (N,).
        parts: PART (P,).
        surroundings: SURROUNDINGS (1,).
    """

    objects: Records
    parts: Records
    surroundings: Records


def placed(
    stage: Stage, positions: npt.NDArray[np.float64], rotations: npt.NDArray[np.float64]
) -> Stage:
    """Return the stage with its N objects in new poses, (N, 3) and (N, 3, 3)."""
    objects, parts = stage.objects.copy(), stage.parts.copy()
    objects["centre"], objects["rotation"] = positions, rotations
    owner = np.repeat(np.arange(len(objects)), objects["end"] - objects["first"])
    turned = rotations[owner]
    parts["centre"] = positions[owner] + np.einsum("pij,pj->pi", turned, parts["offset"])
    parts["rotation"] = turned @ parts["turn"]
    return Stage(objects, parts, stage.surroundings)
