"""Files as a stranger would make them: whole, and with something else in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import safetensors.torch
from torch import Tensor

from ocrl.tensor_files import DIGEST

Change = Callable[[dict[str, str], dict[str, Tensor]], None]


def forge(path: Path, change: Change) -> Path:
    """Write a safetensors file again with other texts or tensors, without a trace.

    Args:
        path: of the file.
        change: takes texts and tensors, and changes them in place.
    """
    with safetensors.safe_open(path, "pt") as file:
        texts = dict(file.metadata())
    tensors = safetensors.torch.load_file(path)
    del texts[DIGEST]
    change(texts, tensors)
    safetensors.torch.save_file(tensors, path, texts)
    return path
