"""Files that are whole or absent, whatever interrupts the writing, and hold nothing to run."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ocrl.errors import UsageError

PARTIAL = ".partial"
"""What the names of files have that are being written."""

DIGEST = "sha256"
"""Where the header of a safetensors file has the hash of all the rest."""


class TensorFile(NamedTuple):
    """What a safetensors file holds: no more than texts and tensors, nothing that could be run.

    Attributes:
        header: texts by name.
        tensors: by name.
    """

    header: dict[str, str]
    tensors: dict[str, Tensor]


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


def write_tensors(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    header: dict[str, str],
    *,
    keep: str | Path | None = None,
) -> None:
    """Write a safetensors file as a whole or not at all, readable by whoever may read its folder.

    Args:
        path: replaced if it exists.
        tensors: by name, on any device.
        header: further texts by name. The hash of tensors and texts joins them.
        keep: see `whole_file`.
    """
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = {**header, DIGEST: digest(copies, header)}
    with whole_file(path, keep=keep) as part:
        # save_file would let nobody but the owner read it
        part.write_bytes(safetensors.torch.save(copies, texts))


def digest(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    """Return the hexadecimal SHA-256 of tensors and texts, in whatever order they are."""
    whole = hashlib.sha256(json.dumps(dict(header), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        whole.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()


def read_tensors(path: str | Path, kind: str, versions: Sequence[str]) -> TensorFile:
    """Read a safetensors file of this project, as `write_tensors` wrote it.

    Args:
        path: the file.
        kind: what it is to hold: "encoder" or "agent". Its header says ``format``, that is
            ``ocrl-<kind>``, and ``version``.
        versions: of the format, that can be read.

    Raises:
        UsageError: the file is missing, cut short, damaged, of another kind or of another version,
            or holds what is not a number.
    """
    writer = f"save_{kind}"
    check_regular(path, kind)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"cannot read the {kind} {path} ({reason}): give a whole file that {writer} wrote"
        ) from error
    if header.get("format") != f"ocrl-{kind}":
        raise UsageError(f"{path} is no {kind}: give a file that {writer} wrote")
    if header.get("version") not in versions:
        raise UsageError(
            f"{path} is an {kind} of format {header.get('version')}, this version reads format "
            f"{' and '.join(versions)}: make it again, or use the version that wrote it"
        )
    written = header.pop(DIGEST, None)
    if written is not None and written != digest(tensors, header):
        raise UsageError(
            f"{path} was damaged after it was written (its SHA-256 is another): copy it again, or "
            "make it again"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise UsageError(
                f"{path} holds NaN in {name}: its training went astray; give another, or make it "
                "again with a lower learning rate"
            )
    return TensorFile(header, tensors)
