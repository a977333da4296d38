"""The random numbers of a process, those of torch, NumPy and Python, as arrays by name."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ocrl.errors import UsageError

_TORCH, _CUDA, _NUMPY, _PYTHON, _NORMAL = "torch", "cuda", "numpy", "python", "normal"
_WORDS = 624


def get_random_numbers(device: torch.device) -> dict[str, npt.NDArray[Any]]:
    """Return where all generators are that a training on a device draws from."""
    _, words, position, has_normal, normal = np.random.get_state()  # noqa: NPY002
    _, python, python_normal = random.getstate()
    state = {
        _TORCH: torch.get_rng_state().numpy(),
        _NUMPY: np.array([*words, position, has_normal], np.uint32),
        _PYTHON: np.array(python, np.uint32),
        # the second of a pair of normally distributed numbers, nan: used
        _NORMAL: np.array([normal, np.nan if python_normal is None else python_normal]),
    }
    if device.type == "cuda":
        state[_CUDA] = torch.cuda.get_rng_state(device).numpy()
    return state


def set_random_numbers(state: Mapping[str, npt.NDArray[Any]], device: torch.device) -> None:
    """Put all generators to where `get_random_numbers` found them; other devices have their own.

    Raises:
        UsageError: it is no such state.
    """
    try:
        *words, position, has_normal = state[_NUMPY].tolist()
        if len(words) != _WORDS or not 0 <= position <= _WORDS:
            raise ValueError("numpy's is no state of MT19937")
        normal, python_normal = state[_NORMAL].tolist()
        torch.set_rng_state(torch.tensor(state[_TORCH]))
        np.random.set_state(  # noqa: NPY002
            ("MT19937", np.array(words, np.uint32), position, has_normal, normal)
        )
        second = None if np.isnan(python_normal) else python_normal
        random.setstate((3, tuple(state[_PYTHON].tolist()), second))
        if device.type == "cuda" and _CUDA in state:
            torch.cuda.set_rng_state(torch.tensor(state[_CUDA]), device)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise UsageError(
            f"the random numbers of a training cannot be read ({error}): go on from another file"
        ) from error
