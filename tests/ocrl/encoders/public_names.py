"""Recorded weights and gradients in our names, and how close ours have to be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

Names = Sequence[tuple[str, str]]
TRANSFORMER = [
    (r"\.self_attn_layer_norm\.|\.attn_layer_norm\.", ".norm1."),
    (r"\.encoder_decoder_attn_layer_norm\.", ".norm2."),
    (r"\.ffn_layer_norm\.", ".norm3."),
    (r"\.encoder_decoder_attn\.", ".cross_attn."),
    (r"\.attn\.", ".self_attn."),
    (r"\.proj_o\.", ".out_proj."),
    (r"\.ffn\.", ".feed_forward."),
]
SLOT_ATTENTION = [
    (r"corrector\.norm_inputs", "corrector.norm_features"),
    (r"corrector\.norm_mlp", "corrector.mlp.layers.0"),
    (r"corrector\.project_", "corrector.to_"),
    (r"corrector\.mlp\.([02])", lambda m: f"corrector.mlp.layers.{int(m[1]) + 1}"),
]


def rename(key: str, names: Names) -> str:
    for pattern, replacement in names:
        key = re.sub(pattern, replacement, key)
    return key


def renamed(tensors: Mapping[str, Tensor], names: Names) -> dict[str, Tensor]:
    """Return tensors by our names, with the rows of queries, keys and values in one."""
    ours = {rename(key, names): value for key, value in tensors.items() if "mask" not in key}
    for key in [key for key in ours if ".proj_q." in key]:
        rows = [ours.pop(key.replace("proj_q", f"proj_{part}")) for part in "qkv"]
        ours[key.replace("proj_q", "qkv")] = torch.cat(rows)
    return ours


def fill(module: nn.Module, tensors: Mapping[str, Tensor], ours_alone: Collection[str]) -> None:
    missing, extra = module.load_state_dict(dict(tensors), strict=False)
    assert extra == [], (extra, missing)
    assert set(missing) == set(ours_alone)


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {key: p.grad for key, p in module.named_parameters() if p.grad is not None}


def close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, atol=tolerance, rtol=0)


def all_close(
    actual: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    tolerance: float | Callable[[Tensor], float],
    leave_out: Collection[str] = (),
) -> None:
    assert actual.keys() == expected.keys()
    for key in expected.keys() - set(leave_out):
        atol = tolerance(expected[key]) if callable(tolerance) else tolerance
        torch.testing.assert_close(
            actual[key].detach(), expected[key], atol=atol, rtol=0, msg=lambda m, k=key: f"{k}: {m}"
        )


def of_largest(share: float) -> Callable[[Tensor], float]:
    """Return a tolerance relative to a tensor's largest entry."""
    return lambda tensor: share * tensor.abs().max().item() + 1e-9
