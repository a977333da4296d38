"""Optimisers of what an encoder trains, one for each kind that its groups ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch.optim import Optimizer

from ocrl.encoder import ParameterGroup


class JointOptimizer(Optimizer):
    """Several optimisers that step together, such as RMSprop for objects, Adam for a background.

    >>> a, b = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    >>> joint = JointOptimizer([torch.optim.SGD([a], lr=0.5), torch.optim.SGD([b], lr=0.25)])
    >>> (a + b).backward()
    >>> joint.step()
    >>> a.item(), b.item()
    (0.5, 0.75)

    Args:
        optimizers: of parameters of their own.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let every optimiser take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return what each optimiser keeps."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        for optimizer, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.param_groups = self._groups()


def make_optimizer(groups: Sequence[ParameterGroup], learning_rate: float) -> Optimizer:
    """Return the optimiser of an encoder's groups, with their rates.

    Its ``param_groups`` are in the order of ``groups``; neighbours of one kind share an optimiser.

    Args:
        groups: see `ocrl.TrainableEncoder.parameter_groups`.
        learning_rate: of the run.
    """
    optimizers: list[Any] = []
    for kind, alike in groupby(groups, key=lambda group: group.optimizer):
        make: Callable[..., Optimizer] = kind
        optimizers.append(
            make(
                [{"params": g.parameters, "lr": g.rate * learning_rate, **g.options} for g in alike]
            )
        )
    return optimizers[0] if len(optimizers) == 1 else JointOptimizer(optimizers)
