"""Pretraining of an encoder, without labels."""

from __future__ import annotations

import json
from collections.abc import Sized
from pathlib import Path
from typing import cast

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.checkpoints import save_encoder
from ocrl.data.annotations import annotated
from ocrl.encoder import TrainableEncoder
from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.pretraining.callbacks import MaskPictures
from ocrl.visualization import draw_masks
from ocrl_studies.core.scoreboard import baselines, make_scoreboard
from ocrl_studies.core.tables import print_table
from ocrl_studies.encoders import check_target, make_encoder
from ocrl_studies.environments import settings
from ocrl_studies.invocation import call, invocation, trust
from ocrl_studies.runs import check_run, is_first, open_run
from ocrl_studies.sources import Source

SAME = ("data", "encoder", "clip_length", "pretraining", "seed")
"""What an encoder is made of: a run that goes on has the same."""

GROWS = "pretraining.max_steps"


def pretrain_slots(cfg: DictConfig) -> Path:
    """Train an encoder on clips of train layouts, then score it on clips of validation layouts.

    Args:
        cfg: as ``configs/pretrain_slots.yaml``.

    Returns:
        The encoder's checkpoint.
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
    run_dir = check_run(cfg, SAME, GROWS)
    path = run_dir / "encoder.safetensors"
    if path.exists():
        print(f"{path} is trained already")
        return path
    check_target(cfg.encoder.model._target_)
    source: Source = instantiate(cfg.data)
    height, width = cfg.encoder.image_size
    size = (height, width)
    training = source.training_clips(cfg.clip_length, size)
    scored = source.scoring_clips(cfg.scoring.num_clips, cfg.scoring.clip_length, size)
    torch.manual_seed(cfg.seed)
    encoder = make_encoder(cfg.encoder.model)
    if not isinstance(encoder, TrainableEncoder):
        raise UsageError(
            f"encoder={cfg.encoder.name} has no losses to pretrain by: make its class a "
            "TrainableEncoder, or train an agent with it at once, encoder.pretrained_as=null"
        )
    clips = annotated(training, encoder, source.num_stuff)
    validation = annotated(scored, encoder, source.num_stuff)
    number = len(cast(Sized, clips))
    with open_run(cfg, SAME, GROWS):
        if is_first(cfg):
            print(f"Training {cfg.encoder.name} on {number} clips, on {cfg.device}: {run_dir}")
        pretrain(
            encoder,
            clips,
            validation,
            PretrainingSettings(seed=cfg.seed, device=cfg.device, **settings(cfg.pretraining)),
            run_dir,
            scores=SegmentationScores(source.num_stuff),
            callbacks=[MaskPictures(validation, cfg.scoring.num_pictures, run_dir / "pictures")],
            resume=cfg.resume,
        )
        if not is_first(cfg):
            return path
        scores = {}
        if "segments" in validation[0] and draw_masks(encoder, [validation[0]]) is not None:
            contenders = {cfg.encoder.name: encoder.cpu(), **baselines(encoder.num_tokens, size)}
            board = make_scoreboard(
                contenders, validation, source.num_stuff, j_and_f=source.j_and_f
            )
            print_table(*board.table())
            scores = board.scores
        write_text(run_dir / "scores.json", json.dumps(scores, indent=2))
        model = settings(cfg.encoder.model)
        save_encoder(path, encoder, model, {"seed": cfg.seed, "scores": scores})
    print(f"encoder: {path}\nmasks:   {run_dir / 'pictures'}")
    if cfg.data.run_name == cfg.env.run_name:
        print(f"next:    {invocation('train_agent', cfg)}")
    else:
        print(f"next:    {call('segment')} checkpoint={path} path=VIDEO{trust(cfg)}")
    return path
