"""Files that are whole or absent, whatever interrupts the writing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import safetensors.torch
from torch import Tensor


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
