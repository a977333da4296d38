"""Scores of one encoder on unseen videos, beside what it must beat."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from ocrl.checkpoints import sha256
from ocrl.data.annotations import annotated
from ocrl.files import write_text
from ocrl.metrics.consistency import score_without_truth
from ocrl.visualization import draw_masks, spread
from ocrl_studies.core.page import Page
from ocrl_studies.core.scoreboard import baselines, make_scoreboard, truthless_table
from ocrl_studies.core.tables import print_table
from ocrl_studies.sources import Source
from ocrl_studies.trust import load_trusted


def evaluate_slots(cfg: DictConfig) -> None:
    """Score on unseen videos, and draw some of them."""
    torch.set_num_threads(cfg.num_threads)
    encoder = load_trusted(cfg.checkpoint, cfg.trusted).to(cfg.device)
    source: Source = instantiate(cfg.data)
    clips = annotated(
        source.scoring_clips(cfg.scoring.num_clips, cfg.scoring.clip_length, encoder.image_size),
        encoder,
        source.num_stuff,
    )
    name = type(encoder).__name__
    contenders = {name: encoder, **baselines(encoder.num_tokens, encoder.image_size)}
    page = Page(f"{name} on {cfg.data.run_name}")
    page.text(f"{cfg.checkpoint}, on {len(clips)} clips of {cfg.scoring.clip_length} frames.")
    results = {}
    if "segments" in clips[0]:
        board = make_scoreboard(contenders, clips, source.num_stuff)
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
    folder = Path(cfg.run_dir) / sha256(cfg.checkpoint)[:12]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "scores.json", json.dumps(results, indent=2))
    print(f"page: {page.save(folder)}")
