"""A recording of a few kilobytes that unpacks to gigabytes is refused by what its header says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ocrl import UsageError
from ocrl.data.recordings import load_recordings


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    """Return the beginning of a file that says it holds such an array."""
    buffer = io.BytesIO()
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


def test_an_entry_that_unpacks_to_more_than_it_may_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("frames.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(header((100, 1000, 1000, 3)))
        for _ in range(100):
            entry.write(bytes(3_000_000))
    with pytest.raises(UsageError, match="unpacks to"):
        load_recordings(tmp_path)


def test_a_header_that_asks_for_more_than_there_is_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("frames.npy", header((10**6, 1000, 1000, 3)))
    with pytest.raises(UsageError, match="asks for"):
        load_recordings(tmp_path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    frames = np.array([Runs()], dtype=object)
    np.savez(tmp_path / "a.npz", frames=frames)
    with pytest.raises(UsageError):
        load_recordings(tmp_path)
    assert not (tmp_path / "ran").exists()
