"""Lightning's checkpoints on the disk: the last one and the one before, of which one is whole."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from ocrl.errors import UsageError
from ocrl.files import previous, whole_file, write_text
from ocrl.reading import check_fields, check_regular, parsing, read_text

ADVICE = "remove it to begin again"
SUMS_ADVICE = "remove it to go on unchecked"
HEXADECIMAL = set("0123456789abcdef")

FIELDS = {
    "state_dict": dict[str, Tensor],
    "optimizer_states": list[dict[str, Any]],
    "lr_schedulers": list[dict[str, Any]],
    "loops": dict[str, Any],
    "callbacks": dict[str, dict[str, Any]],
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
}
"""What a checkpoint has, and of which type."""


class WholeCheckpoints(CheckpointIO):
    """Writes ``last.ckpt`` beside its place, and moves it there once it is on the disk.

    What was there becomes ``previous.ckpt``. ``last.ckpt.sha256`` has the hashes of both, as
    ``sha256sum --check`` reads them.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        path = Path(path)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
        before = previous(path)
        lines = [f"{hashlib.sha256(content).hexdigest()}  {path.name}"]
        # not hashed again: damage would pass for what was written
        lines += [f"{known}  {before.name}" for known in _hashes(path)[:1]]
        with whole_file(path, keep=before) as part:
            part.write_bytes(content)
            # with both hashes in it, this file is right whichever of the names come to move
            write_text(_sums(path), "\n".join(lines) + "\n")

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint: tensors and plain values.

        Raises:
            UsageError: it is not what was written, or no checkpoint.
        """
        content = read_whole(Path(path))
        with parsing(path, "checkpoint", ADVICE):
            checkpoint = torch.load(io.BytesIO(content), map_location, weights_only=True)
        check_fields(checkpoint, FIELDS, str(path), ADVICE)
        for name, tensor in checkpoint["state_dict"].items():
            if tensor.is_floating_point() and bool(tensor.isnan().any()):
                raise UsageError(f"{path} holds NaN in {name}: {ADVICE}")
        return dict(checkpoint)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


def check_whole(path: Path) -> None:
    """Raise UsageError unless a checkpoint, last or previous, is what was written.

    Where its hash is not beside it, as when it alone was copied, that is said in a line.
    """
    sums = _sums(path.with_name(f"last{path.suffix}"))
    if not sums.exists() and path.exists():
        print(f"{sums} is not there: {path} is taken as it is, damaged or not", file=sys.stderr)
    read_whole(path)


def read_whole(path: Path) -> bytes:
    """Return the bytes of a checkpoint, last or previous.

    Raises:
        UsageError: they are not those that were written.
    """
    check_regular(path, "checkpoint")
    known = _hashes(path) or _hashes(path.with_name(f"last{path.suffix}"))
    with path.open("rb") as file:  # first without having it in memory
        if known and hashlib.file_digest(file, "sha256").hexdigest() not in known:
            raise UsageError(
                f"{path} was damaged after it was written (its SHA-256 is another): {ADVICE}"
            )
    return path.read_bytes()


def _sums(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _hashes(path: Path) -> list[str]:
    """Return the hash of a checkpoint, and of the one before it."""
    sums = _sums(path)
    if not sums.exists():
        return []
    hashes = [line[:64] for line in read_text(sums, "hashes", SUMS_ADVICE).splitlines()]
    if not hashes or any(set(each) - HEXADECIMAL or len(each) < 64 for each in hashes):
        raise UsageError(f"cannot read the hashes {sums} (they are none): {SUMS_ADVICE}")
    return hashes
