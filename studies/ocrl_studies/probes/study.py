"""The study of tokens from one command: play, train probes, report."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from ocrl_studies.agent_encoder import find_encoder
from ocrl_studies.composition import compose
from ocrl_studies.core.page import Page
from ocrl_studies.core.tables import Table, print_table, write_rows
from ocrl_studies.env_settings import EnvSettings
from ocrl_studies.plain import plain
from ocrl_studies.probes.networks import PROBES, ProbeSettings, read_facts
from ocrl_studies.probes.scores import score, score_name
from ocrl_studies.probes.sightings import Sightings, see

Row = dict[str, Any]


def probe_tokens(cfg: DictConfig) -> Path:
    """Train each probe on the tokens of each encoder, and score what they read on unseen layouts.

    Args:
        cfg: as ``configs/probe_tokens.yaml``.

    Returns:
        The page.
    """
    torch.set_num_threads(cfg.num_threads)
    encoders = {name: find_encoder(agent_config(cfg, name)).open() for name in cfg.encoders}
    env = EnvSettings.of(cfg.env)
    play = partial(see, env, encoders=encoders, num_envs=cfg.num_envs, every=cfg.every)
    train = play(env.splits["rollouts"], num_frames=cfg.num_frames.train, seed=cfg.seed)
    test = play(plain(cfg.env.unseen), num_frames=cfg.num_frames.test, seed=cfg.seed)
    rows = by_chance(train, test)
    for name in encoders:
        for probe in PROBES:
            torch.manual_seed(cfg.seed)
            read = read_facts(probe, name, train, test, ProbeSettings(**plain(cfg.probe)))
            rows += [row(name, probe, fact, test, read[fact]) for fact in test.facts]
    table = tabulate(rows)
    print_table(*table)
    page = Page(f"What is in the tokens of {cfg.env.run_name}")
    page.text(
        f"Probes ({' / '.join(PROBES)}) trained on {len(train.episode)} frames of training "
        f"layouts, scored on {len(test.episode)} of unseen ones. Of a number R2, of a yes or no "
        "the area under the ROC curve, of a class the accuracy: 1 is all, the column nothing is "
        "what is said without looking."
    )
    page.table(*table)
    write_rows(Path(cfg.run_dir) / "scores.csv", rows)
    path = page.save(cfg.run_dir)
    print(f"page: {path}")
    return path


def agent_config(cfg: DictConfig, encoder: str) -> DictConfig:
    """Return how an agent of this environment and seed would be trained with an encoder."""
    agent = compose("train_agent", [f"encoder={encoder}"])
    OmegaConf.set_struct(agent, False)
    shared = {key: cfg[key] for key in ("env", "seed", "device", "trusted", "runs_dir")}
    return cast(DictConfig, OmegaConf.merge(agent, shared))


def by_chance(train: Sightings, test: Sightings) -> list[Row]:
    """Return the scores of who always says the same: the mean, or the commonest class."""
    rows = []
    for fact, truth in train.facts.items():
        if truth.dtype.kind in "iu":
            said = np.bincount(truth) / len(truth)
        else:
            said = np.array([np.nanmean(truth.astype(float))])
        outputs = np.broadcast_to(said, (len(test.episode), len(said)))
        rows.append(row("nothing", "", fact, test, outputs))
    return rows


def row(encoder: str, probe: str, fact: str, test: Sightings, outputs: Any) -> Row:
    """Return the score of one fact as read by one probe."""
    truth = test.facts[fact]
    known = int(np.isfinite(truth).sum())
    named = {"encoder": encoder, "probe": probe, "fact": fact, "score": score_name(truth)}
    return {**named, "value": round(score(truth, outputs), 4), "frames": known}


def tabulate(rows: list[Row]) -> Table:
    """Return a row for each fact and a column for each encoder, with all probes in a cell."""
    encoders = list(dict.fromkeys(each["encoder"] for each in rows))
    facts = dict.fromkeys((each["fact"], each["score"]) for each in rows)
    cells: dict[tuple[str, str], list[str]] = {}
    for each in rows:
        cells.setdefault((each["fact"], each["encoder"]), []).append(f"{each['value']:.2f}")
    return Table(
        ["fact", "score", *encoders],
        [[fact, kind, *(" / ".join(cells[fact, who]) for who in encoders)] for fact, kind in facts],
    )
