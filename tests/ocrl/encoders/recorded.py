"""Weights of the public code under our names, and how recordings are compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn


def pair_names(module: nn.Module, theirs: Mapping[str, Tensor], prefixes: Mapping[str, str]):
    """Return their name for each of our tensors.

    Tensors below a prefix of ours and one of theirs belong together in the order in which they were
    registered, and have the same shapes.

    Args:
        module: ours.
        theirs: all their tensors by name.
        prefixes: ours to theirs.
    """
    names: dict[str, str] = {}
    ours = module.state_dict()
    for own, other in prefixes.items():
        own_names = [name for name in ours if f"{name}.".startswith(f"{own}.")]
        other_names = [name for name in theirs if f"{name}.".startswith(f"{other}.")]
        assert own_names, own
        for own_name, other_name in zip(own_names, other_names, strict=True):
            assert ours[own_name].shape == theirs[other_name].shape, (own_name, other_name)
            names[own_name] = other_name
    assert {name for name, _ in module.named_parameters()} <= names.keys()
    return names


def load_recorded(module: nn.Module, recorded: Mapping[str, Tensor], names: Mapping[str, str]):
    """Fill a module with weights that were recorded in half precision."""
    weights = {own: recorded[other].float() for own, other in names.items()}
    for name in module.load_state_dict(weights, strict=False).missing_keys:
        assert name == "step_count", name


def check(actual: Tensor, expected: Tensor, absolute: float = 0.0, relative: float = 0.0) -> None:
    """Compare tensors of as many elements."""
    expected = expected.float().view_as(actual)
    torch.testing.assert_close(actual.detach(), expected, atol=absolute, rtol=relative)


def check_gradients(
    module: nn.Module,
    recorded: Mapping[str, Tensor],
    names: Mapping[str, str],
    tolerance: float,
    skip: Collection[str] = (),
) -> None:
    """Compare gradients, each within a share of its tensor's largest entry."""
    for own, parameter in module.named_parameters():
        if names[own] in skip:
            continue
        expected = recorded[names[own]].float()
        actual = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        error = (actual - expected).abs().max()
        assert error <= tolerance * expected.abs().max() + 1e-12, f"{own}: off by {error:.2g}"


def check_parameters(
    module: nn.Module,
    recorded: Mapping[str, Tensor],
    names: Mapping[str, str],
    absolute: float,
    skip: Collection[str] = (),
) -> None:
    """Compare parameters."""
    for own, parameter in module.named_parameters():
        if names[own] not in skip:
            error = (parameter - recorded[names[own]].float()).abs().max()
            assert error <= absolute, f"{own}: off by {error:.2g}"


def given_noise(draws: Mapping[str, Tensor], ours: Mapping[str, str]) -> dict[str, Any]:
    """Return recorded draws by our names, which ``ours`` gives for parts of theirs."""
    renamed = {}
    for name, tensor in draws.items():
        for theirs, own in ours.items():
            name = name.replace(theirs, own)
        renamed[name] = tensor
    return renamed
