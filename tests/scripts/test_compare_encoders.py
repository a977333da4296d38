"""The comparison of encoders as a user runs it, but tiny: it skips, refuses and reports."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

TINY = [
    "pretraining.max_steps=2",
    "pretraining.steps_per_epoch=2",
    "pretraining.batch_size=2",
    "clip_length=2",
    "scoring.num_clips=3",
    "scoring.clip_length=3",
    "scoring.num_pictures=2",
    "identity.num_clips=2",
]
SCENES = ["data=movi_a_like", "data.num_videos.train=2", "data.num_videos.validation=2"]
ROLLOUTS = ["data.num_envs=2", "data.num_steps.train=60", "data.num_steps.validation=60"]
BACKBONE = [
    "encoder=slotcontrast_dinov2",
    "encoder.pretrained=false",
    "encoder.backbone=vit_tiny_patch16_224",
    "encoder.image_size=[96,96]",
    "encoder.num_slots=5",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def compare(run: Run) -> Run:
    """Run the tiny comparison with further arguments."""
    return partial(run, "compare_encoders.py", *TINY)


def read_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("error:")]


def test_one_command_makes_the_report(compare: Run, home: Path) -> None:
    code, out, err = compare(*SCENES, "encoder=slotcontrast", "seed=0,1")
    assert code == 0, err
    folder = home / "runs/segmentation/movi_a_like"
    assert "report: runs/segmentation/movi_a_like/report.html" in out
    rows = read_rows(folder)
    assert {(r["contender"], r["seed"]) for r in rows} == {
        ("slotcontrast", "0"),
        ("slotcontrast", "1"),
        ("block masks, 7", ""),
        ("k-means on colour, 7", ""),
    }
    markdown = (folder / "report.md").read_text()
    of_ari = [100 * float(r["value"]) for r in rows if r["seed"] and r["score"] == "ari"]
    mean, spread = np.mean(of_ari), np.std(of_ari, ddof=1)
    assert f"| slotcontrast | 2 | {mean:.1f} ± {spread:.1f} |" in markdown
    assert "| clips or frames scored |  | 3 | 9 | 3 | 9 | 3 | 9 |" in markdown
    assert (folder / "report.html").read_text().count("<img") == markdown.count("![") == 4
    assert "python scripts/compare_encoders.py pretraining.max_steps=2" in markdown
    assert "torch" in markdown


def test_the_same_clips_are_drawn_for_all(home: Path) -> None:
    folder = home / "runs/segmentation/movi_a_like"
    seeds, blocks = (
        iio.imread(folder / path / "masks.png")
        for path in ("cells/slotcontrast/seed=1", "baselines/block_masks_7")
    )
    assert seeds.shape == blocks.shape
    height = 2 * 128 + 2  # frames and truth of the first clip; below are the masks
    np.testing.assert_array_equal(seeds[:height], blocks[:height])
    assert (seeds != blocks).any()


def test_what_pretraining_says_of_the_same_clips_is_the_same(home: Path) -> None:
    cell = home / "runs/segmentation/movi_a_like/cells/slotcontrast/seed=0/scores.json"
    theirs = json.loads(
        (home / "runs/pretrain/movi_a_like/slotcontrast/seed=0/scores.json").read_text()
    )
    ours = json.loads(cell.read_text())["values"]
    scores = theirs["slotcontrast"].keys() - {"slot_persistence", "mask_persistence", "unexplained"}
    assert len(scores) > 4
    for score in scores:
        assert ours[score] == pytest.approx(theirs["slotcontrast"][score], abs=1e-9)


def test_other_sizes_and_frozen_backbones_join(compare: Run, home: Path) -> None:
    folder = home / "runs/segmentation/movi_a_like"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/**/scores.json")}
    code, _, err = compare(*SCENES, *BACKBONE, "seed=0")
    assert code == 0, err
    assert before == {path: path.stat().st_mtime_ns for path in before}
    markdown = (folder / "report.md").read_text()
    encoder = "slotcontrast_dinov2"
    names = (
        "slotcontrast | 2",
        f"{encoder} | 1",
        f"{encoder}, attention | 1",
        "block masks, 5 | -",
    )
    for name in names:
        assert f"| {name} |" in markdown
    assert "| k-means on features of vit_tiny_patch16_224, 5 | - |" in markdown
    assert markdown.count("| k-means on features of ") == 2  # in two tables


def test_another_budget_is_refused(compare: Run, home: Path) -> None:
    code, _, err = compare(*SCENES, "encoder=slotcontrast", "seed=2", "pretraining.max_steps=4")
    assert code == 2
    assert "different pretraining.max_steps do not belong in one table" in errors(err)[-1]
    shutil.rmtree(home / "runs/segmentation/movi_a_like/cells/slotcontrast/seed=2")
    code, _, err = compare(*SCENES, "encoder=slotcontrast", "seed=2", "results_dir=other")
    assert code == 2
    assert "seed=2 was started with pretraining.max_steps=4, now it is 2" in errors(err)[0]


def test_rollouts_have_long_videos(compare: Run, home: Path) -> None:
    settings = [*ROLLOUTS, "encoder=slotcontrast,vector", "seed=0", "identity.clip_length=20"]
    code, _, err = compare(*settings)
    assert code == 2
    assert "encoder=vector has no masks" in errors(err)[-1]
    folder = home / "runs/segmentation/nav_maze_1"
    assert {r["contender"] for r in read_rows(folder) if r["seed"]} == {"slotcontrast"}
    assert not (home / "runs/pretrain/nav_maze_1/vector/seed=0/last.ckpt").exists()


def test_data_without_truth_are_refused_before_anything_is_trained(
    compare: Run, home: Path
) -> None:
    (home / "recorded").mkdir()
    for name in ("a", "b"):
        np.savez(home / f"recorded/{name}.npz", frames=np.zeros((5, 64, 64, 3), np.uint8))
    recordings = ["data=recordings", "data.path=recorded", "data.held_out=b*"]
    code, _, err = compare(*recordings, "encoder=slotcontrast", "seed=0")
    assert code == 2
    (line,) = errors(err)
    assert "recordings has no true segments" in line
    assert not (home / "runs/pretrain/recordings").exists()
