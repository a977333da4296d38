"""Outputs of the public code of published systems, recorded: see tests/golden/README.md."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent / "golden"


def load(name: str) -> dict[str, Any]:
    """Return what ``tests/golden/<name>.pt.gz`` holds: tensors, numbers, strings."""
    with gzip.open(FOLDER / f"{name}.pt.gz") as file:
        return torch.load(io.BytesIO(file.read()), weights_only=True)
