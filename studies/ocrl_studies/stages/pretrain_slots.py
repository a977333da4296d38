"""Pretraining of an encoder, without labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig
from torch.utils.data import Subset

from ocrl.checkpoints import read_checkpoint, save_encoder
from ocrl.data.annotations import annotated
from ocrl.data.clips import Clip
from ocrl.encoder import TrainableEncoder
from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.metrics.consistency import score_without_truth
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.pretraining.callbacks import MaskPictures
from ocrl.visualization import draw_masks
from ocrl_studies.core.scoreboard import baselines, make_scoreboard, truthless_table
from ocrl_studies.core.tables import print_table
from ocrl_studies.encoders import check_target, make_encoder
from ocrl_studies.invocation import call, invocation, trust
from ocrl_studies.plain import plain
from ocrl_studies.runs import Run
from ocrl_studies.sources import Source, make_source

SAME = ("data", "encoder", "clip_length", "pretraining", "seed")
"""What an encoder is made of: a run that goes on has the same."""

GROWS = "pretraining.max_steps"
"""What may become larger, where the learning rate of each step does not depend on it."""


@dataclass(frozen=True)
class SlotPretraining:
    """What is trained, on what, and where.

    Attributes:
        name: of the encoder.
        model: what makes it: ``_target_`` and arguments.
        image_size: (height, width) of its frames.
        source: of the videos.
        clip_length: frames of a training clip.
        num_scored: clips of unseen videos that it is scored on; None: all that do not overlap.
        scored_length: frames of each; None: whole videos.
        num_pictures: of these that are drawn.
        pretraining: how it is trained.
        run: its folder and settings.
    """

    name: str
    model: Mapping[str, Any]
    image_size: tuple[int, int]
    source: Source
    clip_length: int
    num_scored: int | None
    scored_length: int | None
    num_pictures: int
    pretraining: PretrainingSettings
    run: Run

    @classmethod
    def of(cls, cfg: DictConfig) -> SlotPretraining:
        """Return the pretraining of a configuration like ``configs/pretrain_slots.yaml``."""
        height, width = cfg.encoder.image_size
        pretraining = PretrainingSettings(
            seed=cfg.seed, device=cfg.device, **plain(cfg.pretraining)
        )
        return cls(
            cfg.encoder.name,
            plain(cfg.encoder.model),
            (height, width),
            make_source(cfg.data),
            cfg.clip_length,
            cfg.scoring.num_clips,
            cfg.scoring.clip_length,
            cfg.scoring.num_pictures,
            pretraining,
            Run.of(cfg, SAME, GROWS if pretraining.may_grow else None),
        )

    @property
    def checkpoint(self) -> Path:
        """Of the trained encoder."""
        return self.run.folder / "encoder.safetensors"

    @property
    def is_done(self) -> bool:
        """Say whether the encoder is trained for as long as is asked for, and scored."""
        return is_done(self.checkpoint, self.pretraining.max_steps)

    def train(self) -> None:
        """Train on clips of train layouts, then score on clips of validation layouts.

        Raises:
            UsageError: the run may not go on, or the encoder cannot be trained.
        """
        self.run.check()
        if self.is_done:
            print(f"{self.checkpoint} is trained already")
            return
        check_target(self.model["_target_"])
        source, size, device = self.source, self.image_size, self.pretraining.device
        training = source.training_clips(self.clip_length, size)
        scored = source.scoring_clips(self.num_scored, self.scored_length, size)
        torch.manual_seed(self.pretraining.seed)
        encoder = make_encoder(self.model)
        if not isinstance(encoder, TrainableEncoder):
            raise UsageError(
                f"encoder={self.name} has no losses to pretrain by: make its class a "
                "TrainableEncoder, or train an agent with it at once, encoder.pretrained_as=null"
            )
        clips = annotated(training, encoder, source.num_stuff)
        validation = annotated(scored, encoder, source.num_stuff)
        number, pictures = len(cast(Sized, clips)), self.run.folder / "pictures"
        with self.run.open():
            if self.run.is_first:
                print(f"Training {self.name} on {number} clips, on {device}: {self.run.folder}")
            pretrain(
                encoder,
                clips,
                validation,
                self.pretraining,
                self.run.folder,
                scores=SegmentationScores(source.num_stuff),
                callbacks=[MaskPictures(validation, self.num_pictures, pictures)],
                resume=self.run.resume,
            )
            if self.run.is_first:
                self._save(encoder, validation)
                print(f"encoder: {self.checkpoint}")
                if pictures.exists():  # an encoder may have nothing to draw
                    print(f"masks:   {pictures}")

    def _save(self, encoder: TrainableEncoder, validation: Subset[Clip]) -> None:
        """Save the trained encoder, whatever becomes of its scoring, and again with its scores."""
        notes = {"seed": self.pretraining.seed, "steps": self.pretraining.max_steps}
        save_encoder(self.checkpoint, encoder, self.model, {**notes, "scores": None})
        scores = self._score(encoder.to(self.pretraining.torch_device), validation)
        write_text(self.run.folder / "scores.json", json.dumps(scores, indent=2))
        save_encoder(self.checkpoint, encoder, self.model, {**notes, "scores": scores})

    def _score(
        self, encoder: TrainableEncoder, validation: Subset[Clip]
    ) -> dict[str, dict[str, float]]:
        """Score the trained encoder, beside baselines where there is truth; print the tables."""
        source = self.source
        own = score_without_truth(encoder, validation)
        scores = {self.name: own}
        if "segments" in validation[0] and draw_masks(encoder, [validation[0]]) is not None:
            beside = baselines(encoder.num_tokens, self.image_size)
            contenders = {self.name: encoder, **beside}
            board = make_scoreboard(contenders, validation, source.num_stuff, source.extra_scores)
            print_table(*board.table())
            scores = {**board.scores, self.name: {**own, **board.scores[self.name]}}
        if own:
            print_table(*truthless_table({self.name: own}))
        return scores


def is_done(checkpoint: Path, num_steps: int = 0) -> bool:
    """Say whether an encoder is there, trained for as long as is asked for, and scored.

    Args:
        checkpoint: of it. One that does not say for how long, or of scores, was not made here, or
            before this was noted, and is taken as it is.
        num_steps: asked for.

    Raises:
        UsageError: the file holds no encoder.
    """
    if not checkpoint.exists():
        return False
    notes = read_checkpoint(checkpoint).metadata
    steps, scores = notes.get("steps"), notes.get("scores", {})
    is_short = isinstance(steps, int) and steps < num_steps
    return scores is not None and not is_short


def pretrain_slots(cfg: DictConfig) -> Path:
    """Pretrain an encoder, and say what comes next.

    Args:
        cfg: as ``configs/pretrain_slots.yaml``.

    Returns:
        The encoder's checkpoint.

    Raises:
        UsageError: there is nothing to pretrain.
    """
    torch.set_num_threads(cfg.num_threads)
    if cfg.encoder.pretrained_as is None:
        raise UsageError(
            f"encoder={cfg.encoder.name} has nothing to pretrain: train an agent with it at once, "
            f"{invocation('train_agent', cfg)}"
        )
    if cfg.encoder.pretrained_as != cfg.encoder.name:
        raise UsageError(
            f"encoder={cfg.encoder.name} has the weights of another: pretrain that with "
            f"encoder={cfg.encoder.pretrained_as}"
        )
    pretraining = SlotPretraining.of(cfg)
    pretraining.train()
    path = pretraining.checkpoint
    if not pretraining.run.is_first:
        return path
    if cfg.data.run_name == cfg.env.run_name:
        print(f"next:    {invocation('train_agent', cfg)}")
    else:
        print(f"next:    {call('segment')} checkpoint={path} path=VIDEO{trust(cfg)}")
    return path
