"""The number format that an encoder computes in: bfloat16 where the hardware has it."""

from __future__ import annotations

import torch

from ocrl.errors import UsageError

PRECISIONS = ("auto", "float32", "bfloat16")


def choose_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16"; "auto" takes bfloat16 where the device computes in it.

    On other processors bfloat16 is emulated, and slower than float32.

    Raises:
        UsageError: there is no such precision.

    >>> choose_precision("float32", torch.device("cpu"))
    'float32'
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f"no precision {precision!r} to encode in: choose one of {', '.join(PRECISIONS)}"
        )
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return "bfloat16" if native else "float32"
