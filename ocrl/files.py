"""Files that are whole or absent, whatever interrupts the writing, and checked as they are read."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ocrl.errors import UsageError

PARTIAL = ".partial"
"""What the names of files have that are being written."""

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


def check_regular(path: str | Path, what: str) -> None:
    """Raise UsageError unless a path is that of a file on a disk: pipes would never end.

    Args:
        path: of the file.
        what: it is to be, for the message: "encoder".
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(f"cannot read the {what} {path} ({reason}): give a whole file") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"cannot read the {what} {path} (it is no regular file): give a file")


def parse_object(text: str, source: str) -> dict[str, Any]:
    """Return the object that a text in JSON is.

    >>> parse_object('{"seed": 3}', "the header of encoder.safetensors")
    {'seed': 3}

    Args:
        text: from a file.
        source: of the text, for the message.

    Raises:
        UsageError: it is something else.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{source} cannot be read as JSON ({error}): write or copy the file again"
        ) from error
    if not isinstance(content, dict):
        raise UsageError(f"{source} is no JSON object: write or copy the file again")
    return content


def check_fields(content: Any, fields: Mapping[str, Any], source: str) -> None:
    """Raise UsageError unless an object has all of some fields, each of its type.

    >>> check_fields({"seed": "x"}, {"seed": int}, "this")
    Traceback (most recent call last):
    ocrl.errors.UsageError: this has seed='x', expected int: write or copy the file again

    Args:
        content: of a file.
        fields: type by name; further fields may be there.
        source: of the content, for the message.
    """
    for name, kind in fields.items():
        value = content.get(name, "nothing") if isinstance(content, dict) else "nothing"
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            expected = getattr(kind, "__name__", str(kind))
            raise UsageError(
                f"{source} has {name}={value!r:.100}, expected {expected}: write or copy the file "
                "again"
            )


def read_object(path: Path, what: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: of the file.
        what: it is to be, for the message: "manifest".

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    check_regular(path, what)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the {what} {path} ({error}): write or copy the file again"
        ) from error
    return parse_object(text, str(path))


def write_text(path: str | Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text)
