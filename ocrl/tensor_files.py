"""Files of tensors and texts: safetensors, with a hash in it, and nothing that could be run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from ocrl.errors import UsageError
from ocrl.files import whole_file
from ocrl.reading import reading

DIGEST = "sha256"
"""Where the header of a safetensors file has the hash of all the rest."""

TEXTS = {"format", "version", "config", "metadata", "header"}
"""What else it has."""


class TensorFile(NamedTuple):
    """What a safetensors file holds: no more than texts and tensors, nothing that could be run.

    Attributes:
        header: texts by name.
        tensors: by name.
    """

    header: dict[str, str]
    tensors: dict[str, Tensor]


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
        if tensor.numel():
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
    whole = f"give a whole file that {writer} wrote"
    with reading(path, kind, whole), safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if header.get("format") != f"ocrl-{kind}":
        raise UsageError(f"{path} is no {kind}: give a file that {writer} wrote")
    if header.get("version") not in versions:
        raise UsageError(
            f"{path} is an {kind} of format {header.get('version')}, this version reads format "
            f"{' and '.join(versions)}: make it again, or use the version that wrote it"
        )
    written = header.pop(DIGEST, None)
    # damage to the name of the hash would leave it under another
    known = header.keys() <= TEXTS
    if not known or (written is not None and written != digest(tensors, header)):
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
