"""Arrays in a tar shard: found without reading them, compared with checksums as they are read."""

from __future__ import annotations

import math
import tarfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ocrl.reading import reading

ADVICE = "copy it again, or make the split again with overwrite=true"

CHECKSUMS = ".crc32"
"""What the name of an entry ends in that has the checksums of another."""


def row_checksums(rows: NDArray[Any]) -> NDArray[np.uint32]:
    """Return a CRC-32 for each row of an array, of its type and its shape as well.

    >>> row_checksums(np.zeros((2, 3), np.uint8)).tolist()
    [3897862538, 3897862538]

    Args:
        rows: (N, ...).

    Returns:
        uint32 (N,).
    """
    kind = zlib.crc32(f"{rows.dtype.str} {rows.shape[1:]}".encode())
    return np.array([zlib.crc32(np.ascontiguousarray(row).data, kind) for row in rows], np.uint32)


@dataclass(frozen=True)
class Entry:
    """Where an array lies in a shard.

    Attributes:
        path: of the shard.
        name: in the shard.
        offset: bytes before the array.
        shape: of the array.
        dtype: likewise.
        checksums: of its rows; None where whoever wrote the shard gave none.
    """

    path: Path
    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    checksums: Entry | None = None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows ``start`` to ``stop``.

        Raises:
            UsageError: they are not what was written.
        """
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        row = math.prod(self.shape[1:])
        offset = self.offset + start * row * self.dtype.itemsize
        with reading(self.path, "shard", ADVICE):
            rows = np.fromfile(self.path, self.dtype, (stop - start) * row, offset=offset)
            rows = rows.reshape(stop - start, *self.shape[1:])
            if self.checksums is not None:
                written = self.checksums.read(start, stop)
                if not np.array_equal(row_checksums(rows), written):
                    raise ValueError(f"{self.name} is damaged")
        return rows


def entries_of(path: Path) -> dict[str, dict[str, Entry]]:
    """Return the arrays of each video in a shard by name, without reading them.

    Raises:
        UsageError: the shard is cut short, or holds something else.
    """
    entries: dict[str, dict[str, Entry]] = {}
    with (
        reading(path, "shard", ADVICE),
        tarfile.open(path, "r:") as shard,
        path.open("rb") as raw,
    ):
        for member in shard:
            key, _, name = Path(member.name).name.partition(".")
            if name.endswith(".npy"):
                entries.setdefault(key, {})[name.removesuffix(".npy")] = _entry(path, member, raw)
        raw.seek(shard.offset)  # where a reader of tars stops without a word
        if raw.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ValueError(f"it is damaged at byte {shard.offset}, or cut short there")
        return {key: _with_checksums(named) for key, named in entries.items()}


def _entry(path: Path, member: tarfile.TarInfo, raw: Any) -> Entry:
    raw.seek(member.offset_data)
    shape, in_columns, dtype = _read_header(raw)
    if in_columns or dtype.hasobject:
        raise ValueError(f"{member.name} holds objects or columns first")
    entry = Entry(path, member.name, raw.tell(), shape, dtype)
    content = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or entry.offset + content > member.offset_data + member.size:
        raise ValueError(f"{member.name} asks for {dtype} {shape}, more than it has")
    if member.offset_data + member.size > path.stat().st_size:
        raise ValueError(f"{member.name} ends beyond the file")
    return entry


def _with_checksums(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Take the checksums from among the arrays, to the arrays that they are of."""
    found = {}
    for name, entry in entries.items():
        checksums = entries.get(name + CHECKSUMS)
        if checksums is not None and (
            checksums.dtype != np.uint32 or checksums.shape != entry.shape[:1]
        ):
            raise ValueError(f"{checksums.name} does not belong to {entry.name}")
        if not name.endswith(CHECKSUMS):
            found[name] = replace(entry, checksums=checksums)
    return found


def _read_header(raw: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(raw)
    if version == (1, 0):
        return npy.read_array_header_1_0(raw)
    return npy.read_array_header_2_0(raw)
