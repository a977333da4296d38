"""Object-centric representation learning: encoders that turn frames into slots."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from ocrl.checkpoints import load_encoder, save_encoder
    from ocrl.encoder import Batch, Encoder, EncoderOutput, Reconstruction, TrainableEncoder
    from ocrl.errors import UsageError
    from ocrl.zoo import create_encoder, list_encoders, register_encoder

__all__ = [
    "Batch",
    "Encoder",
    "EncoderOutput",
    "Reconstruction",
    "TrainableEncoder",
    "UsageError",
    "create_encoder",
    "list_encoders",
    "load_encoder",
    "register_encoder",
    "save_encoder",
]

# Where each name lives. Its module is imported when it is first asked for, so that what is not
# used costs nothing.
_HOMES = {
    "ocrl.checkpoints": ("load_encoder", "save_encoder"),
    "ocrl.encoder": ("Batch", "Encoder", "EncoderOutput", "Reconstruction", "TrainableEncoder"),
    "ocrl.errors": ("UsageError",),
    "ocrl.zoo": ("create_encoder", "list_encoders", "register_encoder"),
}


if not TYPE_CHECKING:  # so that a name that does not exist is found by type checkers

    def __getattr__(name: str) -> Any:
        for module, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(module), name)
        if name == "__version__":
            return importlib.import_module("importlib.metadata").version("ocrl")
        if name in ("checkpoints", "visualization", "wrappers"):
            return importlib.import_module(f"ocrl.{name}")
        raise AttributeError(f"module 'ocrl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
