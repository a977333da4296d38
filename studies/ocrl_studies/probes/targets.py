"""Targets: facts of many frames, as what a network is trained to give out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Facts = Mapping[str, NDArray[Any]]


class Targets:
    """Which outputs of a network tell which fact, and how wrong they are.

    Args:
        facts: of training, (M,) each, see `ocrl_envs.protocols.HasFacts`. Numbers are standardised
            by their mean and spread here.

    Attributes:
        widths: number of outputs for each fact: the classes of a class, one of all else.
    """

    def __init__(self, facts: Facts) -> None:
        self.widths = {
            name: int(truth.max()) + 1 if truth.dtype.kind in "iu" else 1
            for name, truth in facts.items()
        }
        self.scales = {
            name: (float(np.nanmean(truth)), float(np.nanstd(truth)) or 1.0)
            for name, truth in facts.items()
            if truth.dtype.kind == "f" and np.isfinite(truth).any()
        }

    def tensors(self, facts: Facts) -> dict[str, Tensor]:
        """Return facts as tensors (M,), numbers standardised."""
        scaled = {
            name: (truth - self.scales[name][0]) / self.scales[name][1]
            if name in self.scales
            else truth
            for name, truth in facts.items()
        }
        return {name: torch.from_numpy(np.asarray(truth)) for name, truth in scaled.items()}

    def errors(self, outputs: Tensor, truths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the error of outputs (B, W) in each fact: what is not known is free."""
        return {name: _error(part, truths[name]) for name, part in self._parts(outputs).items()}

    def predictions(self, outputs: Tensor) -> dict[str, NDArray[np.float32]]:
        """Return outputs (M, W) by fact, (M, C) each, numbers in their own units."""
        said = {}
        for name, part in self._parts(outputs).items():
            mean, spread = self.scales.get(name, (0.0, 1.0))
            said[name] = (part * spread + mean).numpy()
        return said

    def _parts(self, outputs: Tensor) -> dict[str, Tensor]:
        return dict(
            zip(self.widths, torch.split(outputs, list(self.widths.values()), dim=1), strict=True)
        )


def _error(outputs: Tensor, truth: Tensor) -> Tensor:
    if truth.dtype == torch.bool:
        return F.binary_cross_entropy_with_logits(outputs[:, 0], truth.float())
    if not truth.is_floating_point():
        return F.cross_entropy(outputs, truth.long())
    known = torch.isfinite(truth)
    errors = (outputs[:, 0] - truth.nan_to_num()) ** 2 * known
    return errors.sum() / known.sum().clamp_min(1)
