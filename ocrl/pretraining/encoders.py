"""Pretraining: any `TrainableEncoder` on clips, with Lightning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Dataset

from ocrl.encoder import Batch, TrainableEncoder
from ocrl.errors import UsageError
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining.cached_features import with_cached_features
from ocrl.pretraining.loop import PretrainingSettings, TrainingModule, fit
from ocrl.pretraining.optimizers import make_optimizer

__all__ = ["Pretraining", "PretrainingSettings", "pretrain"]


class Pretraining(TrainingModule):
    """Minimises an encoder's own objective; scores its masks where there is ground truth.

    Batches are dictionaries with ``video`` uint8 (B, T, H, W, 3) and optionally ``segments``
    integers (B, T, H, W), for validation; what the encoder ``asks_for``; cached features.

    Args:
        encoder: what is trained; its ``losses`` define the objective.
        learning_rate: peak learning rate, which groups of parameters have a share or a multiple of.
        factor: share of the peak at a step.
        clip_norm: which norm of the gradient is clipped: 2, or infinity for its largest entry.
        scores: of masks against true segments.
    """

    def __init__(
        self,
        encoder: TrainableEncoder,
        *,
        learning_rate: float,
        factor: Callable[[int], float],
        clip_norm: float = 2.0,
        scores: SegmentationScores,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = encoder.losses
        self.learning_rate = learning_rate
        self.factor = factor
        self.clip_norm = clip_norm
        self.scores = scores

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the weighted sum of the encoder's losses."""
        losses = self.objective(batch)
        total = self.encoder.total_loss(losses)
        if not torch.isfinite(total):
            terms = ", ".join(f"{name} {value.item():.3g}" for name, value in losses.items())
            raise UsageError(
                f"the loss is not finite at step {self.global_step} ({terms}): the last checkpoint "
                "is good, but a run keeps its rate; begin another with a lower "
                "pretraining.learning_rate"
            )
        self.log_dict({f"train/{name}": value for name, value in losses.items()}, prog_bar=True)
        self.log("train/loss", total)
        return total

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the losses on unseen clips, and collect the scores of the masks."""
        losses = self.objective(batch)
        size = len(batch["video"])
        self.log("validation/loss", self.encoder.total_loss(losses), batch_size=size)
        masks = self.encoder.segment(batch)
        if masks is not None:
            self.log("validation/slots_used", slots_used(masks), batch_size=size)
            if "segments" in batch:
                self.scores.update(masks, batch["segments"], batch.get("classes"))

    def on_validation_epoch_end(self) -> None:
        """Log the scores."""
        scores = self.scores.compute()
        self.log_dict({f"validation/{name}": value for name, value in scores.items()})
        self.scores.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return what the encoder's groups ask for, Adam by default; rates move each step."""
        groups = self.encoder.parameter_groups()
        optimizer = make_optimizer(groups, self.learning_rate)
        scheduler = LambdaLR(optimizer, [_always if g.constant else self.factor for g in groups])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Scale the gradient down to the largest norm that is allowed."""
        if gradient_clip_val:
            clip_grad_norm_(self.encoder.parameters(), gradient_clip_val, self.clip_norm)


def _always(step: int) -> float:
    return 1.0


def slots_used(masks: Tensor, min_area: float = 0.01) -> Tensor:
    """Return how many slots of a frame own some of it, mean over frames.

    Args:
        masks: (B, T, K, h, w).
        min_area: share of the frame that counts.

    Example:
        >>> slots_used(torch.tensor([0.5, 0.3, 0.2]).view(1, 1, 3, 1, 1).expand(-1, -1, -1, 4, 4))
        tensor(1.)
    """
    owners = torch.nn.functional.one_hot(masks.argmax(2), masks.shape[2])
    areas = owners.float().mean((2, 3))
    return (areas >= min_area).float().sum(2).mean()


def pretrain(
    encoder: TrainableEncoder,
    clips: Dataset[Batch],
    validation_clips: Dataset[Batch],
    settings: PretrainingSettings,
    run_dir: Path,
    *,
    scores: SegmentationScores,
    callbacks: list[Callback],
    resume: bool = False,
) -> None:
    """Train an encoder, with a checkpoint at each epoch's end; see `ocrl.pretraining.loop.fit`.

    Args:
        encoder: trained in place.
        clips: map-style; drawn from with replacement.
        validation_clips: map-style; all of them are scored at each epoch's end.
        settings: see `PretrainingSettings`.
        run_dir: gets ``last.ckpt``, TensorBoard events and a CSV file per start in ``csv``.
        scores: of masks against true segments.
        callbacks: further Lightning callbacks.
        resume: continue from ``last.ckpt`` if there is one.

    Raises:
        KeyboardInterrupt: Ctrl-C; the last checkpoint is whole.
        UsageError: the loss is not finite.
    """
    if settings.feature_cache is not None:
        encoder.to(settings.torch_device)
        clips = with_cached_features(clips, encoder, Path(settings.feature_cache))
    module = Pretraining(
        encoder,
        learning_rate=settings.learning_rate,
        factor=settings.learning_rate_factor,
        clip_norm=settings.clip_norm,
        scores=scores,
    )
    fit(
        module,
        clips,
        validation_clips,
        settings,
        run_dir,
        callbacks=callbacks,
        resume=resume,
    )
