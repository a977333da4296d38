"""Files as they are read: regular, of the kind that was asked for, or one line that says why not.

Every reader of a file goes through `reading`: whatever a parser makes of what is in a file comes
out as one `UsageError`.
"""

from __future__ import annotations

import csv
import json
import os
import pickle
import stat
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ocrl.errors import UsageError

ADVICE = "write or copy the file again"

LARGEST_TEXT = 2**30
"""Bytes that a file of text may have; the largest annotations of COCO have half as many."""


@contextmanager
def reading(path: str | Path, what: str, advice: str = ADVICE) -> Iterator[None]:
    """Read a file: whatever is wrong with it comes out as one UsageError.

    Args:
        path: of the file.
        what: it is to be, for the message: "encoder".
        advice: what to do about it, likewise.

    Raises:
        UsageError: it is no regular file, or what is done within raises anything.
    """
    check_regular(path, what, advice)
    with parsing(path, what, advice):
        yield


@contextmanager
def parsing(source: object, what: str, advice: str = ADVICE) -> Iterator[None]:
    """Make one UsageError of whatever a parser raises; it has one for each way to be broken."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"there is no {reason}"
        if isinstance(error, pickle.UnpicklingError):  # torch's would have it run
            reason = "it is no file of tensors alone"
        raise UsageError(f"cannot read the {what} {source} ({reason:.200}): {advice}") from error


def check_regular(path: str | Path, what: str, advice: str = "give a whole file") -> None:
    """Raise UsageError unless a path is that of a file on a disk: pipes would never end.

    Args:
        path: of the file.
        what: it is to be, for the message: "encoder".
        advice: what to do if it is not, likewise.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(f"cannot read the {what} {path} ({reason}): {advice}") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"cannot read the {what} {path} (it is no regular file): {advice}")


def read_text(path: str | Path, what: str, advice: str = ADVICE) -> str:
    """Return the text in a file, UTF-8.

    Args:
        path: of the file.
        what: it is to be, for the message.
        advice: what to do about one that is not, likewise.

    Raises:
        UsageError: the file cannot be read, or holds no text.
    """
    with reading(path, what, advice):
        if (size := os.path.getsize(path)) > LARGEST_TEXT:
            raise ValueError(f"it has {size} bytes, a text has up to {LARGEST_TEXT}")
        return Path(path).read_text(encoding="utf-8")


def read_json(path: str | Path, what: str, advice: str = ADVICE) -> Any:
    """Return what a JSON file holds.

    Args:
        path: of the file.
        what: it is to be, for the message.
        advice: what to do about one that is not, likewise.

    Raises:
        UsageError: the file cannot be read, or is no JSON.
    """
    text = read_text(path, what, advice)
    with parsing(path, what, advice):
        return json.loads(text)


def read_object(
    path: str | Path, what: str, advice: str = ADVICE, *, fields: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: of the file.
        what: it is to be, for the message: "manifest".
        advice: what to do about one that is not, likewise.
        fields: see `check_fields`.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    content = read_json(path, what, advice)
    if not isinstance(content, dict):
        raise UsageError(f"cannot read the {what} {path} (it is no JSON object): {advice}")
    check_fields(content, fields or {}, str(path), advice)
    return content


def read_rows(path: str | Path, what: str, advice: str = ADVICE) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a line of names.

    A last line without an end was cut short, by a kill, and is left out.

    Args:
        path: of the file.
        what: it is to be, for the message.
        advice: what to do about one that is not, likewise.

    Raises:
        UsageError: the file cannot be read, or rows are of other lengths than the first.
    """
    text = read_text(path, what, advice)
    with parsing(path, what, advice):
        whole = text[: text.rfind("\n") + 1]
        rows = list(csv.DictReader(whole.splitlines(), strict=True))
        for number, row in enumerate(rows):
            if None in row or None in row.values():
                raise ValueError(f"row {number + 1} has another length than the names")
    return rows


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
        raise UsageError(f"{source} cannot be read as JSON ({error}): {ADVICE}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{source} is no JSON object: {ADVICE}")
    return content


def check_fields(
    content: Any, fields: Mapping[str, Any], source: str, advice: str = ADVICE
) -> None:
    """Raise UsageError unless an object has all of some fields, each of its type.

    >>> check_fields({"seed": "x"}, {"seed": int}, "this")
    Traceback (most recent call last):
    ocrl.errors.UsageError: this has seed='x', expected int: write or copy the file again

    Args:
        content: of a file.
        fields: type by name, see `fits`; further fields may be there.
        source: of the content, for the message.
        advice: what to do about it, likewise.
    """
    for name, kind in fields.items():
        if not isinstance(content, dict) or name not in content:
            raise UsageError(f"{source} has no {name}: {advice}")
        value = content[name]
        if not fits(value, kind):
            is_plain = isinstance(kind, type) and not typing.get_args(kind)
            expected = kind.__name__ if is_plain else str(kind)
            raise UsageError(f"{source} has {name}={value!r:.100}, expected {expected}: {advice}")


def fits(value: Any, kind: Any) -> bool:
    """Say whether a value from JSON is of a type, all the way down.

    >>> fits({"train": {"wall": 3}}, dict[str, dict[str, float]]), fits([1, "a"], list[int])
    (True, False)

    Args:
        value: what a parser of JSON gives.
        kind: a type, or one made of others: ``dict[str, float]``, ``list[int]``, ``int | None``.
    """
    if kind is Any:
        return True
    parts = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return any(fits(value, part) for part in parts)
    if parts:
        whole = typing.get_origin(kind)
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, whole) and all(fits(item, parts[-1]) for item in items)
    if kind is float:
        kind = int | float
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
