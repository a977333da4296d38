"""Pretraining: any `TrainableEncoder` on clips, with Lightning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import lightning
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler

from ocrl.encoder import TrainableEncoder
from ocrl.errors import UsageError


class Pretraining(lightning.LightningModule):
    """Minimises an encoder's own objective with Adam, warm-up and a decaying learning rate.

    Args:
        encoder: what is trained; its ``losses`` define the objective.
        learning_rate: peak learning rate.
        schedule: factor of the peak at a step, as `cosine` or `exponential` make it.
    """

    def __init__(
        self,
        encoder: TrainableEncoder,
        *,
        learning_rate: float,
        schedule: Callable[[int], float],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.learning_rate = learning_rate
        self.schedule = schedule

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the weighted sum of the encoder's losses on clips (B, T, H, W, 3)."""
        losses = self.encoder.losses(batch["video"])
        total = self.encoder.total_loss(losses)
        if not torch.isfinite(total):
            terms = ", ".join(f"{name} {value.item():.3g}" for name, value in losses.items())
            raise UsageError(
                f"the loss is not finite at step {self.global_step} ({terms}): the last checkpoint "
                "is good; continue from it with resume=true and a lower pretraining.learning_rate"
            )
        self.log_dict({f"loss/{name}": value for name, value in losses.items()}, prog_bar=True)
        self.log("loss/total", total)
        return total

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam without weight decay on what requires gradients; the schedule moves each step."""
        parameters = [p for p in self.encoder.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        scheduler = LambdaLR(optimizer, self.schedule)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def cosine(warmup_steps: int, max_steps: int) -> Callable[[int], float]:
    """Linear warm-up, then half a cosine down to zero at ``max_steps``.

    >>> factor = cosine(warmup_steps=10, max_steps=110)
    >>> [round(factor(step), 2) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps
        progress = (step - warmup_steps) / max(1, max_steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    return factor


def exponential(warmup_steps: int, decay_steps: int) -> Callable[[int], float]:
    """Linear warm-up, then halving by ``decay_steps`` (official SlotContrast and VideoSAUR code).

    >>> factor = exponential(warmup_steps=10, decay_steps=110)
    >>> [round(factor(step), 2) for step in (0, 5, 10, 110, 210)]
    [0.0, 0.5, 1.0, 0.5, 0.25]
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps
        exponent: float = (step - warmup_steps) / (decay_steps - warmup_steps)
        return float(0.5**exponent)

    return factor


class EpochSampler(Sampler[int]):
    """Draws clips with replacement, the same ones for the same seed, epoch and process.

    Lightning calls ``set_epoch``, so a run resumed at an epoch's start sees exactly the clips that
    an uninterrupted one would have seen; each process of a distributed run draws its own.

    >>> sampler = EpochSampler(num_clips=100, num_draws=3, seed=0)
    >>> sampler.set_epoch(1)
    >>> list(sampler) == list(sampler)
    True

    Args:
        num_clips: length of the dataset.
        num_draws: clips per epoch.
        seed: of the whole run.
        rank: of this process.
    """

    def __init__(self, num_clips: int, num_draws: int, seed: int, rank: int = 0) -> None:
        self.num_clips = num_clips
        self.num_draws = num_draws
        self.seed = seed
        self.rank = rank
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose clips are drawn next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_draws

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.rank, self.epoch))
        yield from generator.integers(self.num_clips, size=self.num_draws).tolist()
