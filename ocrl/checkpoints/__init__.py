"""Encoders on disk, in this package's format and as published: nothing in a file is ever run."""

from ocrl.checkpoints.encoders import (
    Checkpoint,
    builder,
    load_encoder,
    read_checkpoint,
    save_encoder,
    sha256,
)

__all__ = ["Checkpoint", "builder", "load_encoder", "read_checkpoint", "save_encoder", "sha256"]
