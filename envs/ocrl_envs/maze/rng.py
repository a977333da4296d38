"""SplitMix64: random numbers that are the same on every platform and in every version.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. Numpy's generators
promise the same stream only within one version; layouts have to outlive that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.kernel import kernel

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_30 = np.uint64(30)
_SHIFT_27 = np.uint64(27)
_SHIFT_31 = np.uint64(31)
_SHIFT_32 = np.uint64(32)
_SHIFT_40 = np.uint64(40)


@kernel
def next_word(state: npt.NDArray[np.uint64]) -> np.uint64:
    """Advance ``state``, uint64 (1,), and return 64 random bits."""
    state[0] += _GAMMA
    word = state[0]
    word = (word ^ (word >> _SHIFT_30)) * _MIX_1
    word = (word ^ (word >> _SHIFT_27)) * _MIX_2
    return np.uint64(word ^ (word >> _SHIFT_31))


@kernel
def random_index(state: npt.NDArray[np.uint64], stop: int) -> int:
    """Return a random integer in [0, stop)."""
    return int(((next_word(state) >> _SHIFT_32) * np.uint64(stop)) >> _SHIFT_32)


@kernel
def random_unit(state: npt.NDArray[np.uint64]) -> float:
    """Return a random float in [0, 1), a multiple of 2**-24."""
    return float(next_word(state) >> _SHIFT_40) * 2.0**-24


def random_state(seed: int) -> npt.NDArray[np.uint64]:
    """Return the state, uint64 (1,), that a seed stands for."""
    return np.random.SeedSequence(seed).generate_state(1, np.uint64).astype(np.uint64)
