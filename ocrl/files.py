"""Files that are whole or absent, whatever interrupts the writing, and hold nothing to run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ocrl.errors import UsageError


class TensorFile(NamedTuple):
    """What a safetensors file holds: no more than texts and tensors, nothing that could be run.

    Attributes:
        header: texts by name.
        tensors: by name.
    """

    header: dict[str, str]
    tensors: dict[str, Tensor]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a name to write to, and move the file to ``path`` once it is whole.

    Args:
        path: replaced if it exists; its folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text)


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write a safetensors file as a whole or not at all, readable by whoever may read its folder.

    Args:
        path: replaced if it exists.
        tensors: by name, on any device.
        header: further texts by name.
    """
    copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as part:
        # save_file would let nobody but the owner read it
        part.write_bytes(safetensors.torch.save(copies, header))


def read_tensors(path: str | Path, kind: str, versions: Sequence[str]) -> TensorFile:
    """Read a safetensors file of this project, as `write_tensors` wrote it.

    Args:
        path: the file.
        kind: what it is to hold: "encoder" or "agent". Its header says ``format``, that is
            ``ocrl-<kind>``, and ``version``.
        versions: of the format, that can be read.

    Raises:
        UsageError: the file is missing, cut short, of another kind or of another version.
    """
    writer = f"save_{kind}"
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
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
    return TensorFile(header, tensors)
