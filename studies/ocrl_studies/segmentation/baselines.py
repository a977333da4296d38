"""What the encoders of a comparison must beat, scored once on the same clips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ocrl.encoder import Encoder
from ocrl_studies.core.record import open_record
from ocrl_studies.core.scoreboard import baselines, feature_clusters
from ocrl_studies.segmentation.cell import CHECKPOINT, RECORD, save_scores
from ocrl_studies.segmentation.plan import Plan
from ocrl_studies.segmentation.results import Cell
from ocrl_studies.segmentation.scoring import SCORES, Truth
from ocrl_studies.trust import load_trusted


def score_baselines(plan: Plan, cells: Sequence[Cell]) -> dict[str, Path]:
    """Score what is missing; return the folder of each baseline.

    Args:
        plan: of the comparison.
        cells: those that are complete.

    Raises:
        UsageError: the baselines were scored on other data before.
    """
    parent = plan.folder / "baselines"
    record = open_record(parent / RECORD, "the baselines", plan.truth, plan.device)
    truth = Truth.of(plan.scoring)
    folders = {}
    for name, contender in contenders(cells, truth.image_size, plan.trusted).items():
        folders[name] = parent / "_".join(re.findall(r"\w+", name))
        if not (folders[name] / SCORES).exists():
            print(f"scoring {name}")
            with record.timed(name):
                save_scores(contender, truth, plan.scoring.num_pictures, folders[name])
    return folders


def contenders(
    cells: Sequence[Cell], image_size: tuple[int, int], trusted: Sequence[str]
) -> dict[str, Encoder]:
    """Return block masks and k-means, with as many segments as the encoders have slots.

    k-means groups colours, and the features of each frozen backbone.

    Args:
        cells: of the encoders.
        image_size: of the videos.
        trusted: packages of one's own whose encoders may be built.
    """
    found: dict[str, Encoder] = {
        f"{name}, {num_slots}": baseline
        for num_slots in sorted({cell.scored.num_slots for cell in cells})
        for name, baseline in baselines(num_slots, image_size).items()
    }
    for cell in cells:
        if not cell.scored.frozen_backbone:
            continue
        backbone = cell.record.settings.get("encoder.model.backbone", cell.encoder)
        name = f"k-means on features of {backbone}, {cell.scored.num_slots}"
        if name not in found:
            encoder = load_trusted(cell.record.place(CHECKPOINT), trusted)
            clusters = feature_clusters(encoder)
            if clusters is not None:
                found[name] = clusters
    return found
