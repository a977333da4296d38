"""Files as they are written: whole or absent, whatever interrupts it."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ocrl.errors import UsageError

PARTIAL = ".partial"
"""What the names of files have that are being written."""

LOCK = ".lock"
"""What a folder has while a process writes to it alone."""

ADVICE = {
    errno.ENOSPC: "free some",
    errno.EDQUOT: "free some",
    errno.EFBIG: "give a place that takes files of this size",
    errno.EROFS: "give another place, with runs_dir or data_dir",
    errno.EACCES: "give another place, with runs_dir or data_dir, or the right to write there",
    errno.EPERM: "give another place, with runs_dir or data_dir, or the right to write there",
    errno.ENOTDIR: "give another place, with runs_dir or data_dir",
    errno.EISDIR: "give another place, with runs_dir or data_dir",
    errno.ENAMETOOLONG: "give a shorter name",
}
"""What to do where the system does not write."""


@contextmanager
def whole_file(path: str | Path, *, keep: str | Path | None = None) -> Iterator[Path]:
    """Give a name to write to, and move the file to ``path`` once it is whole and on the disk.

    Args:
        path: replaced if it exists; its folder is made.
        keep: where what was at ``path`` before goes, in the same folder. None: nowhere.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}{PARTIAL}{path.suffix}")
    try:
        yield part
        sync(part)
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(part, path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def alone(folder: str | Path, refusal: str) -> Iterator[Path]:
    """Have a folder alone; the system frees the lock of a process that dies.

    The same process may have it again meanwhile.

    Args:
        folder: made if it is absent.
        refusal: what others are told, with what to do.

    Raises:
        UsageError: another process has it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0, is_singleton=True):
            yield folder
    except Timeout as error:
        raise UsageError(refusal) from error


def previous(path: Path) -> Path:
    """Return where the one before the last of a file's versions is.

    >>> str(previous(Path("run/last.ckpt")))
    'run/previous.ckpt'
    """
    return path.with_name(f"previous{path.suffix}")


def newest(path: Path, read: Callable[[Path], object]) -> Path | None:
    """Return the last version of a file that is whole, and say so if that is the one before.

    Args:
        path: of the last version.
        read: raises UsageError of what is not whole.

    Returns:
        ``path``, ``previous(path)``, or None if neither is there.

    Raises:
        UsageError: none of those that are there is whole.
    """
    refusal: UsageError | None = None
    for each in (path, previous(path)):
        if not each.exists():
            continue
        try:
            read(each)
        except UsageError as error:
            if not each.is_file():  # nothing can take its place
                raise
            refusal = refusal or error
            continue
        if each != path:
            print(f"{refusal or f'{path} is not there'}; going on from {each}", file=sys.stderr)
        return each
    if refusal is not None:
        raise refusal
    return None


def disk_trouble(error: OSError) -> str | None:
    """Say in one line that a disk is full, or a place cannot be written to; None: neither.

    >>> disk_trouble(OSError(errno.ENOSPC, "No space left on device", "runs/last.ckpt"))
    'runs/last.ckpt: No space left on device: free some'
    """
    if error.errno not in ADVICE:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{os.strerror(error.errno)}: {ADVICE[error.errno]}"


def check_room(folder: Path, size: int) -> None:
    """Raise OSError unless so many bytes can be written: to be asked before who crashes without.

    Args:
        folder: where they are to go.
        size: in bytes, for which the disk has to have room; nothing of it is left taken.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            elif shutil.disk_usage(folder).free < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        error.filename = str(folder)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk: a power cut spares them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed left of files; nobody may be writing there."""
    for leftover in folder.glob(f".*{PARTIAL}*"):
        leftover.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text)
