"""Arrays as tensors of the same bits, for files that hold no other numbers than weights.

All are whole numbers then: an environment's state may hold NaN, which no weight may, and torch has
fewer types than NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ocrl.errors import UsageError

DTYPES = {
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}
"""What can be kept."""


def to_tensors(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """Return tensors whose names say of which type the numbers are.

    >>> to_tensors({"time": np.array([1.0, np.nan], np.float32)})
    {'time@float32': tensor([1065353216, 2143289344], dtype=torch.int32)}

    Raises:
        UsageError: an array holds neither numbers nor booleans.
    """
    tensors = {}
    for name, array in arrays.items():
        kind = array.dtype.name
        if kind not in DTYPES:
            raise UsageError(f"{name} is of type {kind}: keep numbers and booleans alone")
        # in this machine's order of bytes
        own = np.array(array, array.dtype.newbyteorder("="), order="C")
        tensors[f"{name}@{kind}"] = torch.from_numpy(own.view(_bits(kind)))
    return tensors


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, npt.NDArray[Any]]:
    """Return what `to_tensors` was given.

    >>> to_arrays(to_tensors({"time": np.array([0.5, 2.0])}))
    {'time': array([0.5, 2. ])}

    Raises:
        UsageError: a name says no type, or another than the tensor is of.
    """
    arrays = {}
    for key, tensor in tensors.items():
        name, _, kind = key.rpartition("@")
        bits = tensor.numpy()
        if kind not in DTYPES or bits.dtype != _bits(kind):
            raise UsageError(f"{key} cannot be read as {kind or 'numbers'}: give a whole file")
        arrays[name] = bits.view(kind)
    return arrays


def _bits(kind: str) -> npt.DTypeLike:
    return np.dtype(kind if kind == "bool" else f"i{np.dtype(kind).itemsize}")
