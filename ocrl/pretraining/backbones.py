"""Pretraining of backbones: self-distillation on single frames, with Lightning."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from ocrl.data.crops import MultiCrop
from ocrl.encoder import Batch
from ocrl.encoders.kmeans import BackboneFeatures
from ocrl.errors import UsageError
from ocrl.metrics.neighbours import NeighbourProbe
from ocrl.modules.backbones import TimmBackbone
from ocrl.pretraining.loop import PretrainingSettings, TrainingModule
from ocrl.pretraining.self_distillation import DistillationOutcome, SelfDistillation
from ocrl.tensor_files import write_tensors


@dataclass(frozen=True)
class TeacherSchedule:
    """How the teacher changes over training (arXiv 2104.14294, section 3.1 and appendix C).

    Attributes:
        momentum: of its weights at the first step; half a cosine takes it to 1.
        temperature: at the first step, and from ``warmup_steps`` on; in between it rises evenly.
        warmup_steps: see above.
        weight_decay: of the student's matrices, by AdamW.
    """

    momentum: float
    temperature: tuple[float, float]
    warmup_steps: int
    weight_decay: float

    def momentum_at(self, step: int, max_steps: int) -> float:
        """Return the momentum at a step."""
        return 1 - (1 - self.momentum) * 0.5 * (1 + math.cos(math.pi * step / max_steps))

    def temperature_at(self, step: int) -> float:
        """Return the temperature at a step."""
        first, last = self.temperature
        return first + (last - first) * min(1.0, step / self.warmup_steps)


class BackbonePretraining(TrainingModule):
    """Self-distillation on the first frame of every clip.

    Watch ``certainty`` and ``variety``: a collapsed teacher has one of them at 0, and the spread of
    its features, ``feature_std``, falls with it. Neighbours tell what the features are good for.

    Args:
        distillation: the student and its teacher.
        crops: what they are shown.
        settings: see `PretrainingSettings`.
        schedule: of the teacher.
        probes: labelled patches to score the teacher's features on, by name.
    """

    def __init__(
        self,
        distillation: SelfDistillation,
        crops: MultiCrop,
        settings: PretrainingSettings,
        schedule: TeacherSchedule,
        probes: Mapping[str, NeighbourProbe],
    ) -> None:
        super().__init__()
        self.distillation = distillation
        self.objective = distillation.forward
        self.crops = crops
        self.settings = settings
        self.schedule = schedule
        self.probes = probes

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the cross-entropy between the teacher's and the student's views."""
        temperature = self.schedule.temperature_at(self.global_step)
        outcome: DistillationOutcome = self.objective(self.crops(batch["video"][:, 0]), temperature)
        if not torch.isfinite(outcome.loss):
            raise UsageError(
                f"the loss is not finite at step {self.global_step}: the last checkpoint is good, "
                "but a run keeps its rate; begin another with a lower pretraining.learning_rate"
            )
        self.log_dict({f"train/{k}": v for k, v in outcome._asdict().items()}, prog_bar=True)
        loss: Tensor = outcome.loss
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Let the teacher follow the student."""
        momentum = self.schedule.momentum_at(self.global_step, self.settings.max_steps)
        self.distillation.update_teacher(momentum)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss on unseen frames, and how far the teacher's features are spread."""
        frames = batch["video"][:, 0]
        temperature = self.schedule.temperature_at(self.global_step)
        outcome = self.distillation(self.crops(frames), temperature)
        features = BackboneFeatures(self.distillation.backbone)(frames).float().flatten(0, 2)
        # Unit features that point everywhere have a standard deviation of 1 / sqrt(F).
        spread = features.std(dim=0).mean() * features.shape[1] ** 0.5
        values = {**outcome._asdict(), "feature_std": spread}
        self.log_dict({f"validation/{k}": v for k, v in values.items()}, batch_size=len(frames))

    def on_validation_epoch_end(self) -> None:
        """Log what the nearest neighbours know."""
        features = BackboneFeatures(self.distillation.backbone)
        for name, probe in self.probes.items():
            scores = probe.accuracy(lambda frames: features(frames.to(self.device)))
            self.log_dict({f"neighbours_{name}/{kind}": v for kind, v in scores.items()})

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW on the student; biases, scales and position embeddings do not decay."""
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, weight in self.distillation.student.named_parameters():
            (others if weight.ndim == 1 or "pos_embed" in name else matrices).append(weight)
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.schedule.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.settings.learning_rate,
        )
        scheduler = LambdaLR(optimizer, self.settings.learning_rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def save_backbone(path: Path, backbone: TimmBackbone, metadata: Mapping[str, Any]) -> None:
    """Write the weights of a backbone in half precision, for ``TimmBackbone(..., weights=path)``.

    Args:
        path: where to; it ends in ".safetensors". A file of that name is replaced.
        backbone: what is saved.
        metadata: anything that JSON can hold, for people: command, data, seed, scores.
    """
    weights = backbone.model.state_dict()
    halves = {name: weight.half() for name, weight in weights.items()}
    write_tensors(path, halves, {"metadata": json.dumps(dict(metadata))})
