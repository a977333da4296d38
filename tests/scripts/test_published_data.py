"""From the folders of a published data set to scores, in miniature."""

import json

import miniatures
import pytest

from ocrl.encoders.block_masks import BlockMasks
from ocrl_studies.segmentation import evaluation

TINY = (
    "pretraining.batch_size=2",
    "pretraining.feature_cache=null",
    "scoring.num_clips=null",
    "scoring.num_pictures=1",
    "encoder.num_slots=3",
)


def test_dinosaur_learns_from_coco_and_is_scored(run, home):
    miniatures.coco(home / "coco")
    code, out, err = run(
        "pretrain_slots.py",
        "data=coco",
        "data.path=coco",
        "encoder=dinosaur_small",
        "clip_length=1",
        "scoring.clip_length=1",
        "pretraining.max_steps=20",
        "pretraining.steps_per_epoch=20",
        *TINY,
    )
    assert code == 0, err
    scores = json.loads((home / "runs/pretrain/coco/dinosaur_small/seed=0/scores.json").read_text())
    assert {"image_ari", "image_fg_ari", "image_mbo", "image_mbo_c"} <= set(
        scores["dinosaur_small"]
    )
    assert "image_mbo_c" in out


def test_baselines_are_scored_at_the_resolution_of_an_experiment(run, home):
    miniatures.voc(home / "voc")
    # the page's slots and croppings, on the backbone that is at hand
    code, out, err = run(
        "evaluate_slots.py",
        "experiment=dinosaur_voc_mlp",
        "encoder=dinosaur_small",
        "checkpoint=null",
        "data.path=voc",
        "scoring.num_pictures=1",
        *("encoder.backbone=vit_micro_patch4_32.ocrl", "encoder.image_size=[64,64]"),
        "encoder.model.decoder_dims=[8]",
    )
    assert code == 0, err
    scores = json.loads((home / "runs/scores/voc/baselines/scores.json").read_text())
    assert set(scores["scores"]) == {"block masks", "k-means on colour", "k-means on features"}
    assert scores["counts"]["image_mbo_c"] == 3
    assert "k-means on features" in out


def test_whole_videos_are_scored_out_of_shards(run, home):
    miniatures.davis(home / "davis")
    for split in ("train", "validation"):
        code, out, err = run("convert_data.py", "name=davis", f"split={split}", "source=davis")
        assert code == 0, err
        assert "1 videos, 4 frames" in out
    code, _, err = run(
        "pretrain_slots.py",
        "data=davis",
        "encoder=dinosaur_small",
        "clip_length=2",
        "scoring.clip_length=null",
        "pretraining.max_steps=2",
        "pretraining.steps_per_epoch=2",
        *TINY,
    )
    assert code == 0, err
    folder = home / "runs/pretrain/davis/dinosaur_small/seed=0"
    scores = json.loads((folder / "scores.json").read_text())
    assert 0 < scores["dinosaur_small"]["j_and_f"] < 1
    again = ["convert_data.py", "name=davis", "split=train", "source=davis"]
    code, out, _ = run(*again)
    assert code == 0
    assert "are there already" in out
    code, _, err = run(*again, "limit=1")
    assert code == 2
    assert "overwrite=true" in err


def test_released_weights_are_scored_under_their_name(run, home, monkeypatch):
    miniatures.voc(home / "released")
    monkeypatch.setattr(evaluation, "load_trusted", lambda *_: BlockMasks(3))
    options = ("data=voc", "data.path=released", "scoring.clip_length=1", "scoring.num_pictures=1")
    code, _, err = run("evaluate_slots.py", *options, "checkpoint=slotcontrast-movi-c")
    assert code == 0, err
    assert (home / "runs/scores/voc/slotcontrast-movi-c/scores.json").exists()


@pytest.mark.parametrize(
    ("name", "write"), [("ytvis_2021", miniatures.youtube_vis), ("movi_c", miniatures.movi)]
)
def test_videos_go_from_their_folders_to_scores(run, home, name, write):
    write(home / "originals" / name)
    options = ("split=validation", f"source=originals/{name}", "limit=2")
    code, _, err = run("convert_data.py", f"name={name}", *options)
    assert code == 0, err
    code, _, err = run(
        "evaluate_slots.py",
        f"data={name}",
        "encoder=dinosaur_small",
        "checkpoint=null",
        "scoring.clip_length=null",
        "scoring.num_pictures=1",
        "encoder.num_slots=3",
    )
    assert code == 0, err
    results = json.loads((home / f"runs/scores/{name}/baselines/scores.json").read_text())
    assert results["counts"]["fg_ari"] == 2
    assert results["counts"]["image_mbo"] == 2 * (3 if name == "ytvis_2021" else 4)
    assert all(0 < row["mbo"] < 1 for row in results["scores"].values())
    assert ("image_mbo_c" in results["counts"]) == (name == "ytvis_2021")


@pytest.mark.parametrize("data", ["coco", "voc", "ytvis_2021", "davis", "movi_c"])
def test_data_that_is_not_there_is_said_in_one_line(run, data):
    code, _, err = run("pretrain_slots.py", f"data={data}", "data.path=nowhere", f"run_dir={data}")
    assert code == 2
    assert err.count("\n") == 1
    assert "nowhere" in err
