"""The state of NumPy's generators as arrays, for environments that can be saved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError

_WORD = (1 << 64) - 1


def get_generator(generator: np.random.Generator) -> npt.NDArray[np.uint64]:
    """Return where a generator is, uint64 (6,), such as Gymnasium's ``self.np_random``.

    >>> first, second = np.random.default_rng(0), np.random.default_rng(1)
    >>> set_generator(second, get_generator(first))
    >>> first.random() == second.random()
    True

    Raises:
        UsageError: it is none of ``np.random.default_rng``, which draw from PCG64.
    """
    known = _of(generator)
    big = known["state"]
    words = [part for key in ("state", "inc") for part in (big[key] >> 64, big[key] & _WORD)]
    return np.array([*words, known["has_uint32"], known["uinteger"]], np.uint64)


def set_generator(generator: np.random.Generator, words: npt.NDArray[np.uint64]) -> None:
    """Put a generator to where ``get_generator`` found one.

    Raises:
        UsageError: as ``get_generator``, or that is no such array.
    """
    _of(generator)
    if words.dtype != np.uint64 or words.shape != (6,):
        raise UsageError(
            f"the state of a generator is uint64 (6,), not {words.dtype} {words.shape}: give what "
            "get_generator returned"
        )
    high, low, inc_high, inc_low, has_half, half = (int(word) for word in words)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_half & 1,
        "uinteger": half & 0xFFFFFFFF,
    }


def _of(generator: np.random.Generator) -> dict[str, Any]:
    state: Any = generator.bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise UsageError(
            f"{state['bit_generator']} is no generator of np.random.default_rng: use one of those"
        )
    known: dict[str, Any] = state
    return known
