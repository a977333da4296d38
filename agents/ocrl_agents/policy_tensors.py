"""Weights of a policy and the state of its Adam, as the named tensors of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from ocrl.errors import UsageError

POLICY = "policy."
OPTIMIZER = "optimizer."
"""What the names of tensors begin with."""

MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
"""What Adam knows of a parameter."""


def policy_tensors(policy: ActorCriticPolicy) -> dict[str, Tensor]:
    """Return the weights, buffers and optimiser state of a policy."""
    tensors = {f"{POLICY}{name}": tensor for name, tensor in _weights(policy).items()}
    for index, moments in policy.optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            tensors[f"{OPTIMIZER}{index}.{name}"] = tensor
    return tensors


def fill_policy(policy: ActorCriticPolicy, tensors: Mapping[str, Tensor], source: str) -> None:
    """Put saved weights and buffers into a policy.

    Args:
        policy: of the same settings.
        tensors: what `policy_tensors` returned; others are passed over.
        source: of the tensors, for messages.

    Raises:
        UsageError: the policy has others.
    """
    own, saved = _weights(policy), _under(POLICY, tensors)
    differing = sorted(
        name
        for name in own.keys() | saved.keys()
        if name not in own or name not in saved or own[name].shape != saved[name].shape
    )
    if differing:
        raise UsageError(
            f"{source} does not fit the policy: {differing[0]} differs ({len(differing)} such in "
            "all); use the policy settings that it was trained with"
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(saved[name])


def fill_optimizer(policy: ActorCriticPolicy, tensors: Mapping[str, Tensor], source: str) -> None:
    """Put a saved state into the optimiser of a policy; arguments as those of `fill_policy`.

    Raises:
        UsageError: a part is missing, unknown, or of another shape.
    """
    optimizer = policy.optimizer
    groups: list[dict[str, Any]] = optimizer.state_dict()["param_groups"]
    numbers = {str(number): number for group in groups for number in group["params"]}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _under(OPTIMIZER, tensors).items():
        index, _, name = key.partition(".")
        if index not in numbers or name not in MOMENTS:
            raise UsageError(
                f"{source} has a {OPTIMIZER}{key} that Adam does not know: give a whole file"
            )
        state.setdefault(numbers[index], {})[name] = tensor
    if any(set(each) != MOMENTS for each in state.values()):
        raise UsageError(f"{source} lacks a part of Adam's state: give a whole file")
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for number, moments in state.items():
        # torch does not look, and would write beyond the end of smaller ones
        shapes = dict.fromkeys(MOMENTS, parameters[number].shape) | {"step": torch.Size()}
        if any(moments[name].shape != shape for name, shape in shapes.items()):
            raise UsageError(
                f"{source} has a state of Adam that does not fit its weights: give a whole file"
            )
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _weights(policy: ActorCriticPolicy) -> dict[str, Tensor]:
    """Return parameters and buffers, each once: extractors shared by actor and critic have one."""
    return {**dict(policy.named_parameters()), **dict(policy.named_buffers())}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): tensor for k, tensor in tensors.items() if k.startswith(prefix)}
