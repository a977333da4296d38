"""Scores of one encoder on unseen videos, beside what it must beat; or of that alone."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from omegaconf import DictConfig

from ocrl.checkpoints import sha256
from ocrl.checkpoints.releases import RELEASES
from ocrl.data.annotations import annotated
from ocrl.encoder import Encoder
from ocrl.files import write_text
from ocrl.metrics.consistency import score_without_truth
from ocrl.visualization import draw_masks, spread
from ocrl_studies.core.page import Page
from ocrl_studies.core.scoreboard import (
    baselines,
    feature_clusters,
    make_scoreboard,
    truthless_table,
)
from ocrl_studies.core.tables import print_table
from ocrl_studies.encoders import make_encoder
from ocrl_studies.invocation import call, trust
from ocrl_studies.sources import make_source
from ocrl_studies.trust import load_trusted


def evaluate_slots(cfg: DictConfig) -> None:
    """Score on unseen videos, and draw some of them."""
    torch.set_num_threads(cfg.num_threads)
    source = make_source(cfg.data)
    if cfg.checkpoint is None:
        # for its slots, its size and its backbone
        encoder: Encoder = make_encoder(cfg.encoder.model).eval().to(cfg.device)
    else:
        encoder = load_trusted(cfg.checkpoint, cfg.trusted).to(cfg.device)
    scoring, size = cfg.scoring, encoder.image_size
    clips = source.scoring_clips(scoring.num_clips, scoring.clip_length, size)
    contenders = baselines(encoder.num_tokens, size)
    clusters = feature_clusters(encoder)
    if clusters is not None:
        contenders["k-means on features"] = clusters
    name = "Baselines"
    if cfg.checkpoint is not None:
        clips = annotated(clips, encoder, source.num_stuff)
        name = type(encoder).__name__
        contenders = {name: encoder, **contenders}
    page = Page(f"{name} on {cfg.data.run_name}")
    extent = f"of {scoring.clip_length} frames" if scoring.clip_length else "that are whole videos"
    page.text(f"{cfg.checkpoint or name}, on {len(clips)} clips {extent}.")
    results = {}
    if "segments" in clips[0]:
        board = make_scoreboard(contenders, clips, source.num_stuff, source.extra_scores)
        print_table(*board.table())
        page.heading("Against true segments")
        page.table(*board.table())
        results = board._asdict()
    results["without_truth"] = {
        who: score_without_truth(contender, clips) for who, contender in contenders.items()
    }
    table = truthless_table(results["without_truth"])
    print_table(*table)
    page.heading("Without ground truth")
    page.text(
        "Slot persistence: share of slots nearest to themselves in the next frame. Mask "
        "persistence: overlap (IoU) of a slot's mask with its own in the next frame. Unexplained: "
        "error of the reconstruction over the variance of its target."
    )
    page.table(*table)
    shown = spread(clips, cfg.scoring.num_pictures)
    for contender, picture_of in contenders.items():
        picture = draw_masks(picture_of, shown)
        if picture is not None:
            page.picture(picture, contender.replace(" ", "_"), f"{contender}: frames, truth, masks")
    folder = Path(cfg.run_dir) / _name(cfg.checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "scores.json", json.dumps(results, indent=2))
    print(f"page: {page.save(folder)}")
    if cfg.checkpoint is not None:
        print(f"next: {call('segment')} checkpoint={cfg.checkpoint} path=VIDEO{trust(cfg)}")


def _name(checkpoint: str | None) -> str:
    if checkpoint is None:
        return "baselines"
    return checkpoint if checkpoint in RELEASES else sha256(checkpoint)[:12]
