"""Files of NumPy arrays, read within bounds: nothing is unpickled, nothing unpacks to a flood."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ocrl.errors import UsageError
from ocrl.reading import reading

AGAIN = "record or copy it again"

LARGEST = 4 * 2**30
"""Bytes that an entry of a file may unpack to."""

RATIO = 200
"""Times its packed size that a large entry may unpack to; videos of black frames come to 1,000."""

SMALL = 256 * 2**20
"""Bytes up to which it may unpack to whatever ratio."""


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return those of some entries of an ``.npz`` that it has.

    Args:
        path: of the file.
        names: of the entries.

    Raises:
        UsageError: it cannot be read, holds Python objects, or would unpack to a flood.
    """
    arrays = {}
    with reading(path, "file of arrays", AGAIN), zipfile.ZipFile(path) as file:
        members = {member.filename: member for member in file.infolist()}
        for name in names:
            if (member := members.get(f"{name}.npy")) is not None:
                check_ratio(path, member.file_size, member.compress_size)
                with file.open(member) as entry:
                    arrays[name] = _read_array(entry, member.file_size, path)
    return arrays


def check_ratio(path: Path, size: int, packed: int) -> None:
    """Raise UsageError if what is in a file unpacks to a flood.

    Args:
        path: of the file.
        size: in bytes, unpacked.
        packed: likewise, as it is in the file.
    """
    if size > LARGEST or size > max(SMALL, RATIO * packed):
        raise UsageError(
            f"{path} is {packed} bytes and unpacks to {size}: record shorter episodes, a file each"
        )


def _read_array(entry: IO[bytes], size: int, path: Path) -> NDArray[Any]:
    """Read an array of no more bytes than the entry has."""
    version = npy.read_magic(entry)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(entry)
    if dtype.hasobject:
        raise UsageError(f"{path} holds Python objects, which might run: record it as numbers")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize > size:
        raise UsageError(
            f"{path} asks for {dtype} {shape} and has {size} bytes: record or copy it again"
        )
    content = entry.read(count * dtype.itemsize)
    array = np.frombuffer(content, dtype, count).copy()
    return array.reshape(shape, order="F" if is_fortran else "C")
