"""The training loop that pretraining of encoders and of backbones share, with Lightning."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.optim import Adam, AdamW
from torch.utils.data import DataLoader, Dataset

from ocrl.checkpoints.building import check_fit
from ocrl.data.clips import batches
from ocrl.data.prefetching import Ahead
from ocrl.data.sampler import EpochSampler
from ocrl.encoder import Batch
from ocrl.errors import UsageError
from ocrl.files import newest
from ocrl.pretraining.checkpoint_io import ADVICE, WholeCheckpoints, check_whole
from ocrl.reading import parsing


@dataclass(frozen=True)
class PretrainingSettings:
    """How long, how fast and where to train.

    Attributes:
        max_steps: optimiser steps in all.
        steps_per_epoch: steps between two validations and checkpoints.
        batch_size: clips per step and process.
        learning_rate: peak learning rate of Adam.
        warmup_steps: steps of linear warm-up from zero.
        decay_steps: the step at which the rate has halved since the warm-up; it goes on halving as
            fast, as in the official SlotContrast and VideoSAUR code. None: half a cosine down to
            zero at ``max_steps``.
        gradient_clip: largest norm of the gradient.
        clip_norm: which norm: 2, or infinity for the gradient's largest entry.
        precision: ``32-true`` or ``bf16-mixed``.
        device: ``cpu``, ``cuda`` or ``auto``.
        devices: processes per node.
        num_nodes: nodes.
        num_workers: loader processes; with 0, a thread of this one loads the next batch.
        seed: of clips and of everything random in training.
        feature_cache: folder for the features of a frozen backbone, which are then computed once
            and not in every step; None keeps none.
        compile: have torch.compile speed up the objective; it takes a minute or two at first.
    """

    max_steps: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    gradient_clip: float
    seed: int
    decay_steps: int | None = None
    clip_norm: float = 2.0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: str = "cpu"
    devices: int = 1
    num_nodes: int = 1
    num_workers: int = 0
    feature_cache: str | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError unless the rate falls once it has risen."""
        if self.decay_steps is not None and self.decay_steps <= self.warmup_steps:
            raise UsageError(
                f"pretraining.decay_steps={self.decay_steps} is when the rate has halved, "
                f"pretraining.warmup_steps={self.warmup_steps} when it begins to fall: take "
                "decay_steps above warmup_steps"
            )

    @property
    def torch_device(self) -> str:
        """Where torch computes before Lightning trains, and after: Lightning leaves the CPU."""
        return "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"

    @property
    def may_grow(self) -> bool:
        """Say whether a longer run begins like this one: a cosine ends with its last step."""
        return self.decay_steps is not None

    def learning_rate_factor(self, step: int) -> float:
        """Return the share of the peak learning rate at a step."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if self.decay_steps is not None:
            halvings: float = (step - self.warmup_steps) / (self.decay_steps - self.warmup_steps)
            return float(0.5**halvings)
        progress = (step - self.warmup_steps) / max(1, self.max_steps - self.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class TrainingModule(lightning.LightningModule):
    """What `fit` trains.

    Attributes:
        objective: computes the loss, or what it consists of; `fit` may compile it.
        has_begun: whether all of a checkpoint was restored, or there was none.
    """

    objective: Callable[..., Any]
    has_begun = False

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raise UsageError unless the weights of a checkpoint fit."""
        check_fit(self, checkpoint["state_dict"], "the checkpoint of the run")

    def on_train_start(self) -> None:
        """Raise UsageError unless the optimiser's state, which torch does not look at, fits."""
        optimizer = self.trainer.optimizers[0]
        needed = ("exp_avg", "exp_avg_sq") if isinstance(optimizer, Adam | AdamW) else ()
        for parameter, state in optimizer.state.items():
            kept = [value for value in state.values() if isinstance(value, Tensor) and value.ndim]
            lacks = any(name not in state for name in needed if state)
            if lacks or any(value.shape != parameter.shape for value in kept):
                raise UsageError(
                    "the optimiser's state in the checkpoint of the run does not fit its weights: "
                    f"{ADVICE}"
                )
        self.has_begun = True


class RandomNumbers(Callback):
    """Restarts the random numbers each step, so that a resumed run draws the same ones.

    Each process draws its own.

    Args:
        seed: of the whole run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Restart them."""
        torch.manual_seed((self.seed << 32) + (trainer.global_rank << 26) + trainer.global_step)


class Progress(TQDMProgressBar):
    """Lightning's bar without the number of the log."""

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return the losses."""
        metrics = super().get_metrics(trainer, pl_module)
        return {name: value for name, value in metrics.items() if name != "v_num"}


class Scalars(TensorBoardLogger):
    """TensorBoard events of what is measured: no number of the epoch, no file that says nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write events."""
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(kept, step)

    def save(self) -> None:
        """Write what is left, and no hyperparameters: ``config.yaml`` has all settings."""
        self.experiment.flush()


def fit(
    module: TrainingModule,
    clips: Dataset[Batch],
    validation_clips: Dataset[Batch],
    settings: PretrainingSettings,
    run_dir: Path,
    *,
    callbacks: list[Callback],
    resume: bool = False,
) -> None:
    """Train a module, with a checkpoint at each epoch's end.

    An interrupted run continues from the end of its last whole epoch; on the CPU it then equals
    an uninterrupted one to the last bit.

    Several processes, on one node or more, take the same steps as one whose batches are as large as
    theirs together, but for rounding, where the loss is a mean over clips and draws no noise.
    Lightning starts those of a node by running the same command again, with LOCAL_RANK set.

    Args:
        module: trained in place.
        clips: map-style; drawn from with replacement.
        validation_clips: map-style; all of them are seen at each epoch's end.
        settings: see `PretrainingSettings`.
        run_dir: gets ``last.ckpt`` and the one before, TensorBoard events and in ``csv`` a file per
            start.
        callbacks: further Lightning callbacks.
        resume: continue from ``last.ckpt`` if there is one; if it is damaged, from the one before.

    Raises:
        KeyboardInterrupt: Ctrl-C; the last checkpoint is whole.
        UsageError: the checkpoints to continue from are damaged, or clips cannot be read.
    """
    _silence()
    checkpoint = newest(run_dir / "last.ckpt", check_whole) if resume else None
    trainer = lightning.Trainer(
        accelerator=settings.device,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        precision=settings.precision,
        max_steps=settings.max_steps,
        limit_train_batches=settings.steps_per_epoch,
        gradient_clip_val=settings.gradient_clip,
        num_sanity_val_steps=0,
        log_every_n_steps=min(20, settings.steps_per_epoch),
        use_distributed_sampler=False,
        enable_model_summary=False,
        default_root_dir=run_dir,
        plugins=[WholeCheckpoints()],
        logger=[
            Scalars(run_dir, name=None, version=""),
            CSVLogger(run_dir, name="csv"),
        ],
        callbacks=[
            ModelCheckpoint(
                run_dir,
                filename="last",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
            Progress(refresh_rate=10),
            RandomNumbers(settings.seed),
            *callbacks,
        ],
    )
    sampler = EpochSampler(
        cast(Sized, clips),
        settings.steps_per_epoch,
        settings.batch_size,
        epoch=lambda: trainer.global_step // settings.steps_per_epoch,
        seed=settings.seed,
        rank=trainer.global_rank,
        num_processes=trainer.world_size,
    )
    if settings.compile:
        module.objective = torch.compile(module.objective)
    try:
        trainer.fit(
            module,
            Ahead(
                DataLoader(
                    clips,
                    settings.batch_size,
                    sampler=sampler,
                    num_workers=settings.num_workers,
                    persistent_workers=settings.num_workers > 0,
                )
            ),
            batches(validation_clips, settings.batch_size),
            ckpt_path=checkpoint,
            weights_only=True,
        )
    except SystemExit:
        # Lightning turns Ctrl-C into an exit; the caller knows better what to say.
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except UsageError as error:
        # one that a loader process raised comes with that process's traceback; its line is the last
        *traceback, line = str(error).strip().splitlines()
        raise (UsageError(line.partition(": ")[2]) if traceback else error) from None
    except Exception as error:
        if checkpoint is None or module.has_begun or isinstance(error, OSError):
            raise
        with parsing(checkpoint, "checkpoint", ADVICE):  # whatever Lightning and torch make of it
            raise


def _silence() -> None:
    """Keep Lightning from advertising, and from warning of what is meant to be."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
