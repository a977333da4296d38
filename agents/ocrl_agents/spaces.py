"""Gymnasium spaces as plain data, for files to hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from ocrl.errors import UsageError

LARGEST = 2**26
"""Numbers in an observation that a file may describe: a frame of 4096 x 4096 in colours."""


def describe_space(space: Space[Any]) -> dict[str, Any]:
    """Return a space as JSON can hold it, for `build_space`.

    >>> describe_space(spaces.Discrete(3))
    {'type': 'Discrete', 'n': 3, 'start': 0}

    Raises:
        UsageError: of a type that there is no way to write.
    """
    if isinstance(space, spaces.Dict):
        entries = {key: describe_space(entry) for key, entry in space.spaces.items()}
        return {"type": "Dict", "entries": entries}
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"type": "MultiDiscrete", "nvec": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": np.array(space.n).tolist()}
    if isinstance(space, spaces.Box):
        return {
            "type": "Box",
            "low": _bound(space.low),
            "high": _bound(space.high),
            "shape": list(space.shape),
            "dtype": str(space.dtype),
        }
    raise UsageError(f"cannot write {space} to a file: use Box, Dict or discrete spaces")


def build_space(settings: Mapping[str, Any]) -> Space[Any]:
    """Return the space that `describe_space` described.

    >>> build_space(describe_space(spaces.Box(-1, np.inf, (2,))))
    Box(-1.0, inf, (2,), float32)
    """
    match settings["type"]:
        case "Dict":
            return spaces.Dict({key: build_space(e) for key, e in settings["entries"].items()})
        case "Discrete":
            return spaces.Discrete(settings["n"], start=settings["start"])
        case "MultiDiscrete":
            return spaces.MultiDiscrete(np.array(settings["nvec"]))
        case "MultiBinary":
            return spaces.MultiBinary(settings["n"])
        case "Box":
            shape, dtype = tuple(settings["shape"]), np.dtype(settings["dtype"])
            if math.prod(shape) > LARGEST:
                raise UsageError(f"a file has observations of {shape}: give a whole file")
            low, high = (
                np.broadcast_to(np.array(settings[name], np.float64), shape).astype(dtype)
                for name in ("low", "high")
            )
            return spaces.Box(low, high, shape, dtype.type)
    raise UsageError(f"there is no space {settings['type']!r}: the file was written by another")


def _bound(values: Any) -> Any:
    """Return a bound as one number where all are the same, else as nested lists."""
    first = values.flat[0] if values.size else 0
    return float(first) if (values == first).all() else values.astype(np.float64).tolist()
