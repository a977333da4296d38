"""What the agent sees: DeepMind Lab's observations under the names of this project."""

from __future__ import annotations

import difflib
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ocrl_envs.errors import UsageError

EngineObservation = Mapping[str, Any]
Observation = npt.NDArray[np.uint8] | dict[str, Any]

NAMES = ("rgb", "depth", "velocity", "pose", "instruction")
TOP_SPEED = 320.0
"""Units a second."""
BLOCK = 100.0
"""Units along a side of what a letter of a maze's text stands for."""
TOP_LOOK = 20
"""Pixels a frame, of the actions ``navigation8``."""


def observation_names(asked_for: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names asked for, one or several, in the order of ``NAMES``.

    Raises:
        UsageError: one is unknown, or ``rgb`` is not among them.
    """
    asked_for = [asked_for] if isinstance(asked_for, str) else asked_for
    for name in asked_for:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
            raise UsageError(
                f"no observation {name!r}: choose from {', '.join(NAMES)}; the nearest is {near!r}"
            )
    if "rgb" not in asked_for:
        raise UsageError(f"observations={list(asked_for)}: add 'rgb', the others only go with it")
    return tuple(name for name in NAMES if name in asked_for)


def engine_names(names: tuple[str, ...]) -> list[str]:
    """Return the observations to ask DeepMind Lab for.

    Example:
        >>> engine_names(("rgb",)), engine_names(("rgb", "depth", "velocity"))
        (['RGB_INTERLEAVED'], ['RGBD_INTERLEAVED', 'VEL.TRANS'])
    """
    engine = ["RGBD_INTERLEAVED" if "depth" in names else "RGB_INTERLEAVED"]
    if "velocity" in names:
        engine += ["VEL.TRANS"]
    if "pose" in names:
        engine += ["DEBUG.POS.TRANS", "DEBUG.POS.ROT"]
    if "instruction" in names:
        engine += ["INSTR"]
    return engine


def observation_space(names: tuple[str, ...], height: int, width: int) -> spaces.Space[Any]:
    """Return the space of a frame alone, or of a dictionary of all that was asked for.

    ``rgb`` is uint8 (height, width, 3), ``depth`` uint8 (height, width, 1), ``velocity`` float32
    (3,) and ``pose`` float32 (4,) as in the embedded maze, see ``own_velocity`` and ``own_pose``,
    ``instruction`` a text.
    """
    every: dict[str, spaces.Space[Any]] = {
        "rgb": spaces.Box(0, 255, (height, width, 3), np.uint8),
        "depth": spaces.Box(0, 255, (height, width, 1), np.uint8),
        "velocity": spaces.Box(-1, 1, (3,), np.float32),
        "pose": spaces.Box(-np.inf, np.inf, (4,), np.float32),
        "instruction": spaces.Text(1024, min_length=0, charset=string.printable),
    }
    return every["rgb"] if names == ("rgb",) else spaces.Dict({name: every[name] for name in names})


def frame(engine: EngineObservation) -> npt.NDArray[np.uint8]:
    """Return a copy of the frame in an engine observation, uint8 (height, width, 3)."""
    return np.array(engine.get("RGB_INTERLEAVED", engine.get("RGBD_INTERLEAVED"))[..., :3])


def own_velocity(engine: EngineObservation, look: int) -> npt.NDArray[np.float32]:
    """Return the velocity ahead, to the right and turning right, float32 (3,) in [-1, 1].

    These are fractions of ``TOP_SPEED`` and ``TOP_LOOK``, as the embedded maze tells them. The
    engine turns by what the action says, and its own ``VEL.ROT`` was zero in all frames recorded.

    Args:
        engine: an engine observation with ``VEL.TRANS``: ahead, to the left and up.
        look: pixels a frame by which the agent was turned to the right.

    Example:
        >>> own_velocity({"VEL.TRANS": np.array([160.0, 80.0, 0.0])}, look=-20).tolist()
        [0.5, -0.25, -1.0]
    """
    ahead, left, _ = engine["VEL.TRANS"]
    velocity = np.array([ahead / TOP_SPEED, -left / TOP_SPEED, look / TOP_LOOK], np.float32)
    return velocity.clip(-1, 1)


def own_pose(engine: EngineObservation) -> npt.NDArray[np.float32]:
    """Return where the agent is and looks, float32 (4,): x, y, cosine and sine of the heading.

    Lengths are in ``BLOCK``; as in the embedded maze, y grows to the south and the heading to the
    right, whereas the engine's grow to the north and to the left.

    Args:
        engine: an engine observation with ``DEBUG.POS.TRANS`` and ``DEBUG.POS.ROT`` in degrees.

    Example:
        >>> turned = {"DEBUG.POS.TRANS": [150.0, 50.0, 0.0], "DEBUG.POS.ROT": [0.0, 90.0, 0.0]}
        >>> own_pose(turned).round(6).tolist()
        [1.5, -0.5, 0.0, -1.0]
    """
    east, north, _ = engine["DEBUG.POS.TRANS"]
    left = np.deg2rad(engine["DEBUG.POS.ROT"][1])
    return np.array([east / BLOCK, -north / BLOCK, np.cos(left), -np.sin(left)], np.float32)


def observation(names: tuple[str, ...], engine: EngineObservation, look: int) -> Observation:
    """Turn an engine observation into an element of ``observation_space``, sharing no memory.

    ``look`` is that of ``own_velocity``.
    """
    if names == ("rgb",):
        return frame(engine)
    seen: dict[str, Any] = {"rgb": frame(engine)}
    if "depth" in names:
        seen["depth"] = np.array(engine["RGBD_INTERLEAVED"][..., 3:])
    if "velocity" in names:
        seen["velocity"] = own_velocity(engine, look)
    if "pose" in names:
        seen["pose"] = own_pose(engine)
    if "instruction" in names:
        seen["instruction"] = engine["INSTR"]
    return seen
